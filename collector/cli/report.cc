#include "collector/cli/report.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/input.h"
#include "collector/report/html.h"
#include "collector/report/json.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

struct ReportOptions {
  InputFiles files;
  std::string period;
  std::string as_known_at;
  std::string municipality;
  std::string format = "json";
  std::string lang = "nb";
  std::string output;
};

int Refuse(const std::string& what) {
  std::cerr << what << '\n';
  return kBadUsage;
}

std::string Quote(const std::string& text) { return "`" + OneLine(text, 60) + "`"; }

// What the options alone say, before any file is read; empty: fine.
std::string FaultOfOptions(const ReportOptions& options) {
  if (options.format == "pdf" || options.format == "csv" || options.format == "xlsx") {
    return "--format " + options.format + ": not in this version; allowed: json, html";
  }
  if (options.format != "json" && options.format != "html") {
    return "--format: " + Quote(options.format) + " is not a format; allowed: json, html";
  }
  if (options.lang != "nb" && options.lang != "nn" && options.lang != "en") {
    return "--lang: " + Quote(options.lang) + " is not a language; allowed: nb, nn, en";
  }
  if (options.format == "html" && options.lang != "nb") {
    return "--lang " + options.lang + ": not in this version for html; allowed: nb";
  }
  if (options.files.catalogue.empty()) return "--catalogue FILE is missing";
  if (options.files.history.empty() && options.files.tickets.empty()) {
    return "--history FILE or --tickets FILE is missing; allowed: one or both";
  }
  return "";
}

int RunReport(const ReportOptions& options) {
  if (const std::string fault = FaultOfOptions(options); !fault.empty()) return Refuse(fault);
  ReportRequest request;
  bool refused = false;
  const auto refuse = [&](const std::string& what) {
    std::cerr << what << '\n';
    refused = true;
  };
  if (!options.as_known_at.empty()) {
    request.as_known_at = ParseInstant(options.as_known_at);
    if (!request.as_known_at) {
      refuse("--as-known-at: " + Quote(options.as_known_at) +
             " is not an instant; allowed: RFC 3339 as in 2026-10-05T08:00:00Z");
    }
  }
  Input input = ReadInput(options.files);
  PrintFindings(input);
  if (!input.faults.empty() || !input.catalogue) return kBadUsage;
  const Catalogue& catalogue = *input.catalogue;
  if (const auto period = ParsePeriod(options.period, catalogue.zone)) {
    request.period = *period;
  } else {
    refuse("--period: " + Quote(options.period) +
           " is not a period; allowed: 2026-Q3, 2026-07, 2026 or 2026-07-01..2026-08-01 (the "
           "last day does not count)");
  }
  request.municipality = options.municipality;
  if (!request.municipality.empty()) {
    std::vector<std::string_view> known;
    for (const Municipality& its : catalogue.municipalities) known.push_back(its.id);
    if (std::find(known.begin(), known.end(), request.municipality) == known.end()) {
      refuse("--municipality: " + Quote(request.municipality) + " is not in the catalogue" +
             DidYouMean(request.municipality, known) + "; allowed: the ids under `municipalities`");
    }
  }
  if (refused) return kBadUsage;
  Report report = ComputeReport(catalogue, input.facts, request);
  report.inputs_sha256 = input.sha256;
  const std::string text = options.format == "json" ? ReportAsJson(report) : ReportAsHtml(report);
  if (!options.output.empty()) {
    if (const auto status = ReplaceFile(options.output, text, 0644); !status.ok()) {
      std::cerr << status.message() << '\n';
      return kFailed;
    }
    return 0;
  }
  std::cout << text << std::flush;
  if (!std::cout) {
    std::cerr << "cannot write to standard output\n";
    return kFailed;
  }
  return 0;
}

}  // namespace

void AddReport(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* report =
      app.add_subcommand("report", "The SLA report of a period, computed from exported files");
  report->add_option("--catalogue", options->files.catalogue, "catalogue.yaml: what was agreed");
  report->add_option("--history", options->files.history, "history.jsonl: what happened");
  report->add_option("--tickets", options->files.tickets, "tickets.jsonl: the helpdesk's tickets");
  report
      ->add_option("--period", options->period,
                   "2026-Q3, 2026-07, 2026 or 2026-07-01..2026-08-01 (local dates)")
      ->required();
  report->add_option("--as-known-at", options->as_known_at,
                     "only what was recorded by this instant (RFC 3339)");
  report->add_option("--municipality", options->municipality, "only this municipality's rows");
  report->add_option("--format", options->format, "json or html")->capture_default_str();
  report->add_option("--lang", options->lang, "nb, nn or en (html: nb)")->capture_default_str();
  report->add_option("--output", options->output,
                     "write here instead of to standard output; untouched on a fault");
  report->callback([options, &exit_code] { exit_code = RunReport(*options); });
}

}  // namespace oppetid::collector
