#include "collector/cli/export.h"

#include <iostream>
#include <memory>

#include "collector/cli/source.h"
#include "collector/report/catalogue_reader.h"
#include "collector/sla/zone.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

struct ExportOptions {
  SourceOptions source;
  std::string period, catalogue, as_known_at;
  std::string zone = "Europe/Oslo";
};

int Print(const std::string& text) {
  std::cout << text;
  return std::cout.flush() ? 0 : 1;
}

// The period's bounds: in the zone of the catalogue that computes it, or, where nothing was agreed
// yet, in that of the options.
absl::StatusOr<Period> PeriodOf(Source& source, const ExportOptions& options,
                                AsKnownAt as_known_at) {
  std::string name = options.zone;
  if (const auto yaml = source.CatalogueOf(options.period, as_known_at); yaml.ok()) {
    Faults faults("catalogue");
    if (const auto catalogue = ReadCatalogue(*yaml, faults)) name = catalogue->timezone;
  } else if (!absl::IsFailedPrecondition(yaml.status())) {
    return yaml.status();
  }
  const auto zone = Zone::Find(name);
  if (!zone) {
    return absl::InvalidArgumentError("no time zone " + OneLine(name, 60) +
                                      " (is tzdata installed?)");
  }
  const auto period = ParsePeriod(options.period, *zone);
  if (period) return *period;
  return absl::InvalidArgumentError(
      OneLine(options.period, 60) +
      " is no period; allowed: 2026-Q3, 2026-07, 2026, 2026-07-01..2026-08-01");
}

// Where nothing was agreed yet there are facts all the same.
absl::StatusOr<std::string> WithoutCatalogue(Source& source, const ExportOptions& options) {
  const auto period = PeriodOf(source, options, std::nullopt);
  if (!period.ok()) return period.status();
  return source.History({period->from, period->to}, "");
}

int RunHistory(const ExportOptions& options) {
  const auto as_known_at = ReadAsKnownAt(options.as_known_at);
  if (!as_known_at.ok()) return Fail(as_known_at.status());
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  const auto texts = TextsOf(**source, options.period, *as_known_at, options.catalogue);
  if (texts.ok()) return Print(texts->texts.history);
  if (!absl::IsFailedPrecondition(texts.status())) return Fail(texts.status());
  const auto history = WithoutCatalogue(**source, options);
  return history.ok() ? Print(*history) : Fail(history.status());
}

int RunTickets(const ExportOptions& options) {
  const auto as_known_at = ReadAsKnownAt(options.as_known_at);
  if (!as_known_at.ok()) return Fail(as_known_at.status());
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  const auto period = PeriodOf(**source, options, *as_known_at);
  if (!period.ok()) return Fail(period.status());
  const auto tickets = (*source)->Tickets(period->to);
  return tickets.ok() ? Print(*tickets) : Fail(tickets.status());
}

int RunCatalogue(const ExportOptions& options) {
  const auto as_known_at = ReadAsKnownAt(options.as_known_at);
  if (!as_known_at.ok()) return Fail(as_known_at.status());
  auto source = OpenSource(options.source);
  if (!source.ok()) return Fail(source.status());
  const auto yaml = (*source)->CatalogueOf(options.period, *as_known_at);
  return yaml.ok() ? Print(*yaml) : Fail(yaml.status());
}

}  // namespace

void AddExport(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("export", "Facts of the ledger, for other programs");
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* what) {
    const auto options = std::make_shared<ExportOptions>();
    CLI::App* its = command->add_subcommand(name, what);
    AddSourceOptions(*its, options->source);
    its->add_option("--period", options->period, "2026-Q3, 2026-07, 2026 or FROM..TO as dates")
        ->required();
    its->add_option("--as-known-at", options->as_known_at,
                    "For a report as known at this instant (RFC 3339): the catalogue of then");
    return std::pair{its, options};
  };
  const auto [history, of_history] = add("history", "Every fact that a period's report needs");
  history->add_option("--catalogue", of_history->catalogue,
                      "Follow this catalogue's services instead of those in force");
  history
      ->add_option("--timezone", of_history->zone,
                   "Of the period's dates, where there is no catalogue yet")
      ->capture_default_str();
  history->callback([options = of_history, &exit_code] { exit_code = RunHistory(*options); });
  const auto [tickets, of_tickets] =
      add("tickets", "Every ticket created before the period's end, with all its events");
  tickets
      ->add_option("--timezone", of_tickets->zone,
                   "Of the period's dates, where there is no catalogue yet")
      ->capture_default_str();
  tickets->callback([options = of_tickets, &exit_code] { exit_code = RunTickets(*options); });
  const auto [catalogue, of_catalogue] = add("catalogue", "The catalogue that computes a period");
  catalogue->callback([options = of_catalogue, &exit_code] { exit_code = RunCatalogue(*options); });
}

}  // namespace oppetid::collector
