#include "collector/cli/outage.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/decide.h"
#include "collector/cli/progress.h"
#include "collector/cli/source.h"
#include "collector/cli/table.h"
#include "collector/report/model.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

struct ListOptions {
  SourceOptions source;
  std::string period, service, municipality;
  bool json = false;
};

// The notes on one outage: those whose instant lies in it.
json::array NotesOn(const json::array& notes, const ServiceRow& row, const Outage& outage) {
  json::array out;
  for (const json::value& note : notes) {
    const Cells cells(note);
    const auto at = ParseInstant(cells.Text("at"));
    if (cells.Text("service") == row.service->id &&
        cells.Text("municipality") == row.municipality && at && outage.from <= *at &&
        *at < outage.to) {
      out.push_back(note);
    }
  }
  return out;
}

int Print(const Report& report, const json::array& notes, const ListOptions& options) {
  json::array list;
  std::vector<Row> rows = {{"SERVICE", "MUNICIPALITY", "FROM", "TO", "DOWN IN PERIOD", "NOTES"}};
  for (const ServiceRow& row : report.services) {
    if (!options.service.empty() && row.service->id != options.service) continue;
    for (const Outage& outage : row.figures.outages) {
      const json::array on = NotesOn(notes, row, outage);
      std::string words;
      for (const json::value& note : on) {
        words += (words.empty() ? "" : "; ") + Cells(note).Text("note");
      }
      rows.push_back({row.service->id, row.municipality, FormatInstant(outage.from),
                      FormatInstant(outage.to), FormatDuration(Millis(outage.down_ms)), words});
      list.push_back({{"service", row.service->id},
                      {"municipality", row.municipality},
                      {"from", FormatInstant(outage.from)},
                      {"to", FormatInstant(outage.to)},
                      {"down_ms", outage.down_ms},
                      {"notes", on}});
    }
  }
  if (options.json) {
    std::cout << json::serialize(json::object{{"outages", std::move(list)}}) << "\n";
  } else {
    std::cout << Table(rows);
  }
  return 0;
}

int RunList(const ListOptions& options) {
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  ReportRequest request;
  absl::StatusOr<std::string> decisions;
  std::optional<Input> input;
  {
    Progress progress;
    progress.Step("reading the ledger");
    auto texts = TextsOf(**source, options.period, std::nullopt, "");
    if (!texts.ok()) return Fail(texts.status());
    decisions = (*source)->Decisions();
    if (!decisions.ok()) return Fail(decisions.status());
    request = {texts->period, texts->as_known_at, options.municipality};
    input = ReadTexts(texts->texts);
  }
  if (!input->catalogue) return Fail(absl::DataLossError("the collector's export has faults"));
  return Print(ComputeReport(*input->catalogue, input->facts, request),
               ListOf(*decisions, "notes").value_or(json::array()), options);
}

void AddReported(CLI::App& command, int& exit_code) {
  const auto options = std::make_shared<DecideOptions>();
  CLI::App* report = command.add_subcommand(
      "report", "An outage that nobody measured: it counts as down (--reference names its ticket)");
  AddExtentOptions(*report, *options);
  AddWhyOptions(*report, *options, true);
  report->callback(
      [options, &exit_code] { exit_code = Record(*options, WishOf("report_outage", *options)); });
}

void AddAnnotate(CLI::App& command, int& exit_code) {
  struct Annotated : DecideOptions {
    std::string service, municipality, at, note;
  };
  const auto options = std::make_shared<Annotated>();
  CLI::App* annotate = command.add_subcommand("annotate", "Write a note on an outage");
  annotate->add_option("SERVICE", options->service)->required();
  annotate->add_option("MUNICIPALITY", options->municipality)->required();
  annotate->add_option("--at", options->at, "An instant of the outage, as in --from of others")
      ->required();
  annotate->add_option("--note", options->note, "One line; it changes no figure")->required();
  AddWhyOptions(*annotate, *options, false);
  annotate->callback([options, &exit_code] {
    json::object wish = WishOf("annotate", *options);
    wish["service"] = options->service;
    wish["municipality"] = options->municipality;
    wish["at"] = options->at;
    wish["note"] = options->note;
    exit_code = Record(*options, wish);
  });
}

}  // namespace

void AddOutage(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("outage", "Outages, and what people say of them");
  command->require_subcommand(1);
  AddReported(*command, exit_code);
  AddAnnotate(*command, exit_code);
  const auto options = std::make_shared<ListOptions>();
  CLI::App* list = command->add_subcommand("list", "The outages of a period, with their notes");
  AddSourceOptions(*list, options->source);
  list->add_option("--period", options->period, "2026-Q3, 2026-07, 2026 or FROM..TO as dates")
      ->required();
  list->add_option("--service", options->service, "Only this service's");
  list->add_option("--municipality", options->municipality, "Only this municipality's");
  list->add_flag("--json", options->json, "As JSON, for programs");
  list->callback([options, &exit_code] { exit_code = RunList(*options); });
}

}  // namespace oppetid::collector
