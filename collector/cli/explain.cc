#include "collector/cli/explain.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/str_join.h"
#include "collector/cli/source.h"
#include "collector/report/catalogue_reader.h"
#include "collector/report/explain.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

struct ExplainOptions {
  SourceOptions source;
  std::string service, municipality, at, catalogue, period;
};

// The catalogue of the file, of the period, or in force at the instant; as YAML.
absl::StatusOr<std::string> CatalogueFor(Source& source, const ExplainOptions& options,
                                         Instant at) {
  if (!options.catalogue.empty()) return ReadFile(options.catalogue);
  if (!options.period.empty()) return source.CatalogueOf(options.period, std::nullopt);
  auto yaml = source.CatalogueAt(at);
  // What was before the first catalogue is computed by a later one.
  if (absl::IsNotFound(yaml.status())) return source.CatalogueAt(SystemClock().Now());
  return yaml;
}

absl::StatusOr<std::string> ExplainFrom(Source& source, const ExplainOptions& options) {
  const auto at = WhenOf(source, options.at);
  if (!at.ok()) return at.status();
  auto yaml = CatalogueFor(source, options, *at);
  if (!yaml.ok()) return yaml.status();
  auto history = source.History({*at, *at + Millis(1)}, *yaml);
  if (!history.ok()) return history.status();
  const Input input = ReadTexts({*std::move(yaml), *std::move(history), ""});
  if (!input.catalogue) return absl::InvalidArgumentError(absl::StrJoin(input.faults, "\n"));
  std::vector<std::string_view> services, municipalities;
  for (const Service& service : input.catalogue->services) {
    services.push_back(service.id);
    if (service.id != options.service) continue;
    for (const ServiceMember& member : service.members) {
      municipalities.push_back(member.municipality);
      if (member.municipality == options.municipality) {
        return Explain(*input.catalogue, input.facts, service, member, *at);
      }
    }
    return absl::InvalidArgumentError(
        service.id + " is not delivered to `" + OneLine(options.municipality, 60) + "`" +
        DidYouMean(options.municipality, municipalities) + "; allowed: " +
        absl::StrJoin(std::vector<std::string>(municipalities.begin(), municipalities.end()),
                      ", "));
  }
  return absl::InvalidArgumentError("service `" + OneLine(options.service, 60) +
                                    "` is not in the catalogue" +
                                    DidYouMean(options.service, services));
}

int RunExplain(const ExplainOptions& options) {
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  const auto text = ExplainFrom(**source, options);
  if (!text.ok()) return Fail(text.status());
  std::cout << *text;
  return 0;
}

}  // namespace

void AddExplain(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ExplainOptions>();
  CLI::App* command =
      app.add_subcommand("explain", "Which run, gap, window or correction decided an instant");
  AddSourceOptions(*command, options->source);
  command->add_option("SERVICE", options->service)->required();
  command->add_option("MUNICIPALITY", options->municipality)->required();
  command->add_option("--at", options->at, "\"2026-07-10 20:00\" (local) or 2026-07-10T18:00:00Z")
      ->required();
  auto* file = command->add_option("--catalogue", options->catalogue,
                                   "By this catalogue, not the one in force then");
  command->add_option("--period", options->period, "By the one that computes this period")
      ->excludes(file);
  command->callback([options, &exit_code] { exit_code = RunExplain(*options); });
}

}  // namespace oppetid::collector
