#include "collector/cli/status.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iostream>
#include <memory>
#include <vector>

#include "collector/cli/client.h"
#include "collector/cli/table.h"
#include "common/instant.h"
#include "common/state.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// How long before `now`, roughly: "3m", "2d4h"; "-" without an instant.
std::string Ago(const json::object& object, std::string_view key, std::optional<Instant> now) {
  const auto at = ParseInstant(JsonText(object, key));
  if (!at || !now) return "-";
  if (*at > *now) return "now";
  const auto passed = std::chrono::floor<std::chrono::seconds>(*now - *at);
  const auto unit = passed >= std::chrono::hours(24)  ? std::chrono::seconds(3600)
                    : passed >= std::chrono::hours(1) ? std::chrono::seconds(60)
                                                      : std::chrono::seconds(1);
  return FormatDuration(passed / unit * unit);
}

// What needs eyes first: never seen or unknown, then critical, warning, ok.
int Urgency(const std::string& state) {
  if (state == "unknown") return 0;
  if (state == "critical") return 1;
  return state == "warning" ? 2 : 3;
}

std::string Agents(const json::array& agents, std::optional<Instant> now) {
  std::vector<std::pair<int, Row>> sorted;
  for (const json::value& value : agents) {
    const json::object& agent = value.as_object();
    const std::string up = JsonText(agent, "up");
    const int rank = up == "yes" ? 2 : (JsonText(agent, "last_seen") == "-" ? 0 : 1);
    sorted.emplace_back(
        rank,
        Row{JsonText(agent, "municipality"), JsonText(agent, "host"), up == "-" ? "unknown" : up,
            JsonText(agent, "connected"), Ago(agent, "last_seen", now),
            JsonText(agent, "clock_offset_ms") + " ms", JsonText(agent, "spool_facts"),
            JsonText(agent, "gaps"), JsonText(agent, "version")});
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Row> rows = {
      {"MUNICIPALITY", "HOST", "UP", "CONNECTED", "SEEN", "CLOCK", "SPOOL", "GAPS", "VERSION"}};
  for (auto& [rank, row] : sorted) rows.push_back(std::move(row));
  return Table(rows);
}

std::string Checks(const json::array& checks, std::optional<Instant> now) {
  std::vector<std::pair<int, Row>> sorted;
  for (const json::value& value : checks) {
    const json::object& check = value.as_object();
    const std::string state = JsonText(check, "state");
    sorted.emplace_back(Urgency(state),
                        Row{JsonText(check, "municipality"),
                            JsonText(check, "host") + "/" + JsonText(check, "check"), state,
                            Ago(check, "since", now), JsonText(check, "text")});
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Row> rows = {{"MUNICIPALITY", "CHECK", "STATE", "FOR", "WHAT WAS SEEN"}};
  for (auto& [rank, row] : sorted) rows.push_back(std::move(row));
  return Table(rows);
}

int RunStatus(const CollectorAddress& address, bool as_json) {
  const auto body = Fetch(address, "GET", "/api/v1/status");
  if (!body.ok()) return Fail(body.status());
  std::cout << (as_json ? *body : StatusTable(*body));
  return 0;
}

}  // namespace

std::string StatusTable(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return "the collector's answer is no status\n";
  const json::object& object = root.get_object();
  const json::value* agents = object.if_contains("agents");
  const json::value* checks = object.if_contains("checks");
  if (agents == nullptr || !agents->is_array() || checks == nullptr || !checks->is_array()) {
    return "the collector's answer is no status\n";
  }
  const auto now = ParseInstant(JsonText(object, "at"));
  return Agents(agents->get_array(), now) + "\n" + Checks(checks->get_array(), now);
}

void AddStatus(CLI::App& app, int& exit_code) {
  struct Options {
    CollectorAddress address;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("status", "Agents and checks, what needs eyes first");
  AddAddressOptions(*command, options->address);
  command->add_flag("--json", options->json, "As JSON, for programs");
  command->callback(
      [options, &exit_code] { exit_code = RunStatus(options->address, options->json); });
}

}  // namespace oppetid::collector
