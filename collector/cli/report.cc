#include "collector/cli/report.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/input.h"
#include "collector/cli/progress.h"
#include "collector/cli/source.h"
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
  SourceOptions source;
  std::string period;
  std::string as_known_at;
  std::string municipality;
  std::string format = "json";
  std::string lang = "nb";
  std::string output;
};

int BadUsage(const std::string& what) {
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
  const bool files = !options.files.history.empty() || !options.files.tickets.empty();
  if (files && options.files.catalogue.empty()) {
    return "--catalogue FILE is missing beside --history and --tickets";
  }
  return "";
}

// From files, or where none are given from the collector or its ledger.
absl::StatusOr<Input> ReadAll(const ReportOptions& options, ReportRequest& request,
                              Progress& progress) {
  const auto as_known_at = ReadAsKnownAt(options.as_known_at);
  if (!as_known_at.ok()) return as_known_at.status();
  request.as_known_at = *as_known_at;
  if (!options.files.history.empty() || !options.files.tickets.empty()) {
    progress.Step("reading the files");
    return ReadInput(options.files);
  }
  progress.Step("reading the ledger");
  auto source = OpenSource(options.source);
  if (!source.ok()) return source.status();
  auto texts = TextsOf(**source, options.period, *as_known_at, options.files.catalogue);
  if (!texts.ok()) return texts.status();
  request.as_known_at = texts->as_known_at;
  auto tickets = (*source)->Tickets(texts->period.to);
  if (!tickets.ok()) return tickets.status();
  texts->texts.tickets = *std::move(tickets);
  progress.Step("reading what was exported");
  return ReadTexts(texts->texts);
}

// Fills in the request from the options; false after a message.
bool ReadRequest(const ReportOptions& options, const Catalogue& catalogue, ReportRequest& request) {
  bool fine = true;
  if (const auto period = ParsePeriod(options.period, catalogue.zone)) {
    request.period = *period;
  } else {
    BadUsage("--period: " + Quote(options.period) +
             " is not a period; allowed: 2026-Q3, 2026-07, 2026 or 2026-07-01..2026-08-01 (the "
             "last day does not count)");
    fine = false;
  }
  request.municipality = options.municipality;
  if (request.municipality.empty()) return fine;
  std::vector<std::string_view> known;
  for (const Municipality& its : catalogue.municipalities) known.push_back(its.id);
  if (std::find(known.begin(), known.end(), request.municipality) != known.end()) return fine;
  BadUsage("--municipality: " + Quote(request.municipality) + " is not in the catalogue" +
           DidYouMean(request.municipality, known) + "; allowed: the ids under `municipalities`");
  return false;
}

int Write(const ReportOptions& options, const std::string& text) {
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

int RunReport(const ReportOptions& options) {
  if (const std::string fault = FaultOfOptions(options); !fault.empty()) return BadUsage(fault);
  ReportRequest request;
  std::string text;
  {
    Progress progress;
    const auto input = ReadAll(options, request, progress);
    if (!input.ok()) {
      progress.Step("");
      return Fail(input.status());
    }
    PrintFindings(*input);
    if (!input->faults.empty() || !input->catalogue) return kBadUsage;
    if (!ReadRequest(options, *input->catalogue, request)) return kBadUsage;
    progress.Step("computing");
    Report report = ComputeReport(*input->catalogue, input->facts, request);
    report.inputs_sha256 = input->sha256;
    text = options.format == "json" ? ReportAsJson(report) : ReportAsHtml(report);
  }
  return Write(options, text);
}

}  // namespace

void AddReport(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* report = app.add_subcommand(
      "report", "The SLA report of a period, from the collector or from exported files");
  AddSourceOptions(*report, options->source);
  report->add_option("--catalogue", options->files.catalogue,
                     "catalogue.yaml, instead of the one in force");
  report->add_option("--history", options->files.history, "history.jsonl, instead of the ledger");
  report->add_option("--tickets", options->files.tickets, "tickets.jsonl, instead of the ledger");
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
