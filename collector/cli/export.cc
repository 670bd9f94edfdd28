#include "collector/cli/export.h"

#include <iostream>
#include <memory>

#include "collector/cli/client.h"
#include "collector/sla/zone.h"

namespace oppetid::collector {
namespace {

int RunHistory(const CollectorAddress& address, const std::string& period_text,
               const std::string& zone_name) {
  const auto zone = Zone::Find(zone_name);
  if (!zone) {
    std::cerr << "oppetid: no time zone " << zone_name << " (is tzdata installed?)\n";
    return 2;
  }
  const auto period = ParsePeriod(period_text, *zone);
  if (!period) {
    std::cerr << "oppetid: " << period_text
              << " is no period; allowed: 2026-Q3, 2026-07, 2026, 2026-07-01..2026-08-01\n";
    return 2;
  }
  const auto body = Fetch(address, "GET",
                          "/api/v1/export/history?from=" + UrlEncode(FormatInstant(period->from)) +
                              "&to=" + UrlEncode(FormatInstant(period->to)));
  if (!body.ok()) return Fail(body.status());
  const size_t failed = body->rfind("error: ");
  if (failed != std::string::npos && (failed == 0 || (*body)[failed - 1] == '\n')) {
    return Fail(absl::DataLossError(body->substr(failed)));
  }
  std::cout << *body;
  return std::cout.flush() ? 0 : 1;
}

}  // namespace

void AddExport(CLI::App& app, int& exit_code) {
  struct Options {
    CollectorAddress address;
    std::string period;
    std::string zone = "Europe/Oslo";
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export", "Facts of the ledger, for other programs");
  command->require_subcommand(1);
  CLI::App* history = command->add_subcommand("history", "Every span of a period, a line each");
  AddAddressOptions(*history, options->address);
  history->add_option("--period", options->period, "2026-Q3, 2026-07, 2026 or FROM..TO as dates")
      ->required();
  history->add_option("--timezone", options->zone, "Of the period's dates")->capture_default_str();
  history->callback([options, &exit_code] {
    exit_code = RunHistory(options->address, options->period, options->zone);
  });
}

}  // namespace oppetid::collector
