#include "collector/cli/catalogue.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iostream>
#include <memory>

#include "collector/cli/source.h"
#include "collector/cli/table.h"
#include "collector/report/catalogue_reader.h"
#include "common/clock.h"
#include "common/file.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

constexpr size_t kMaxCatalogueBytes = 900'000;  // what a request to the collector may bring

struct ApplyOptions {
  CollectorAddress address;
  std::string file, reason, on_behalf_of;
  bool dry_run = false;
};

int RunApply(const ApplyOptions& options) {
  const auto text = ReadFile(options.file, kMaxCatalogueBytes);
  if (!text.ok()) {
    std::cerr << text.status().message() << "\n";
    return 2;
  }
  Faults faults(options.file);
  if (!ReadCatalogue(*text, faults)) {
    for (const std::string& fault : faults.lines()) std::cerr << fault << "\n";
    std::cerr << "oppetid: nothing was applied\n";
    return 2;
  }
  const auto reply = Call(options.address, "POST",
                          "/api/v1/catalogue?file=" + UrlEncode(options.file) +
                              "&reason=" + UrlEncode(options.reason) +
                              "&on_behalf_of=" + UrlEncode(options.on_behalf_of) +
                              (options.dry_run ? "&dry_run=1" : ""),
                          *text);
  if (!reply.ok()) return Fail(reply.status());
  if (reply->status / 100 != 2) return Refuse(*reply);
  boost::system::error_code error;
  const json::value value = json::parse(reply->body, error);
  const json::object* answer = error ? nullptr : value.if_object();
  if (answer == nullptr) return Fail(absl::InternalError("the collector's answer is no JSON"));
  for (const auto& [key, out] :
       {std::pair{"changes", &std::cout}, std::pair{"warnings", &std::cerr}}) {
    for (const json::value& line : Cells(*answer).List(key)) {
      if (!line.is_string()) continue;
      *out << (out == &std::cerr ? "warning: " : "") << std::string_view(line.get_string()) << "\n";
    }
  }
  const auto is = [&](const char* key) {
    const json::value* its = answer->if_contains(key);
    return its != nullptr && its->is_bool() && its->get_bool();
  };
  if (is("in_force_already")) {
    std::cerr << "oppetid: this catalogue is in force already\n";
  } else if (is("applied")) {
    std::cerr << "oppetid: in force now\n";
  } else {
    std::cerr << "oppetid: nothing was applied (--dry-run)\n";
  }
  return 0;
}

struct ShowOptions {
  SourceOptions source;
  std::string at, period;
  bool json = false;
};

int RunShow(const ShowOptions& options) {
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  absl::StatusOr<std::string> yaml;
  if (!options.period.empty()) {
    yaml = (*source)->CatalogueOf(options.period, std::nullopt);
  } else {
    absl::StatusOr<Instant> at = SystemClock().Now();
    if (!options.at.empty()) at = WhenOf(**source, options.at);
    if (!at.ok()) return Fail(at.status());
    yaml = (*source)->CatalogueAt(*at);
  }
  if (!yaml.ok()) return Fail(yaml.status());
  std::cout << *yaml;
  return 0;
}

int RunHistory(const ShowOptions& options) {
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  const auto versions = (*source)->Versions();
  if (!versions.ok()) return Fail(versions.status());
  if (options.json) {
    std::cout << *versions;
    return 0;
  }
  boost::system::error_code error;
  const json::value value = json::parse(*versions, error);
  std::vector<Row> rows = {{"ACT", "IN FORCE FROM", "BY", "LINES", "REASON"}};
  if (!error && value.is_array()) {
    for (const json::value& its : value.get_array()) {
      const Cells cells(its);
      rows.push_back({cells.Text("number"), cells.Text("at"), cells.Who(), cells.Text("lines"),
                      cells.Text("reason")});
    }
  }
  std::cout << Table(rows);
  return 0;
}

}  // namespace

void AddCatalogue(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("catalogue", "What was agreed, and since when");
  command->require_subcommand(1);

  const auto apply_options = std::make_shared<ApplyOptions>();
  CLI::App* apply = command->add_subcommand("apply", "Bring a catalogue into force");
  AddAddressOptions(*apply, apply_options->address);
  apply->add_option("FILE", apply_options->file, "catalogue.yaml")->required();
  apply->add_option("--reason", apply_options->reason, "Why, for the history");
  apply->add_option("--on-behalf-of", apply_options->on_behalf_of, "Who decided it");
  apply->add_flag("--dry-run", apply_options->dry_run, "Only say what would change");
  apply->callback([apply_options, &exit_code] { exit_code = RunApply(*apply_options); });

  const auto show_options = std::make_shared<ShowOptions>();
  CLI::App* show = command->add_subcommand("show", "Print the catalogue in force");
  AddSourceOptions(*show, show_options->source);
  auto* at = show->add_option("--at", show_options->at, "The one in force then");
  show->add_option("--period", show_options->period, "The one that computes this period")
      ->excludes(at);
  show->callback([show_options, &exit_code] { exit_code = RunShow(*show_options); });

  const auto history_options = std::make_shared<ShowOptions>();
  CLI::App* history = command->add_subcommand("history", "Every catalogue that was in force");
  AddSourceOptions(*history, history_options->source);
  history->add_flag("--json", history_options->json, "As JSON, for programs");
  history->callback([history_options, &exit_code] { exit_code = RunHistory(*history_options); });
}

}  // namespace oppetid::collector
