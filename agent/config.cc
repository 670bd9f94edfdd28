#include "agent/config.h"

#include <algorithm>
#include <set>

#include "agent/runner.h"
#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "common/limits.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kDefaultEvery{15'000};
constexpr Millis kDefaultDeadline{5'000};
constexpr Millis kMaxDeadline{3'600'000};
constexpr int kMaxConfirm = 20;
constexpr Millis kDay{86'400'000};

std::string CheckNameRule() {
  return "`name`: 1 to 100 of letters, digits and _ . : -, the first a letter or digit";
}

void ReadCheck(YamlMap& map, World& world, std::set<std::string>& names, AgentConfig* config) {
  CheckSpec check;
  check.name = map.RequiredString("name");
  if (!check.name.empty() && !IsCheckName(check.name)) map.Fault("name", CheckNameRule());
  if (!check.name.empty() && !names.insert(check.name).second) {
    map.Fault("name", "a check `" + OneLine(check.name, 60) + "` stands above; names are unique");
  }
  check.every = map.Duration("every", limits::kMinEvery, limits::kMaxEvery, kDefaultEvery);
  check.deadline = map.Duration("deadline", Millis(10), kMaxDeadline, kDefaultDeadline);
  check.sensor = map.RequiredString("sensor");
  std::vector<std::string_view> known;
  for (const SensorType& type : SensorTypes()) known.push_back(type.name);
  const auto type = std::find_if(SensorTypes().begin(), SensorTypes().end(),
                                 [&](const SensorType& t) { return t.name == check.sensor; });
  const bool found = type != SensorTypes().end();
  check.confirm = static_cast<int>(map.Int("confirm", 0, kMaxConfirm, found ? type->confirm : 0));
  check.valid_for = map.Duration("valid_for", check.every, limits::kMaxValidFor, Millis(0));
  if (!found) {
    if (!check.sensor.empty()) {
      std::string all;
      for (const std::string_view name : known)
        all += (all.empty() ? "" : ", ") + std::string(name);
      map.Fault("sensor", "`sensor`: `" + OneLine(check.sensor, 60) + "` is not one of " + all +
                              DidYouMean(check.sensor, known));
    }
    return;  // which other keys are allowed, only the sensor knows
  }
  config->sensors.push_back(type->make(map, world));
  config->takes_turns.push_back(type->takes_turns);
  map.Finish();
  config->checks.push_back(std::move(check));
}

// Those that do not say how long their state is valid: for three periods, confirming included. A
// check that takes turns may also have to wait for all the others.
void SetValidFor(AgentConfig* config) {
  Millis turns{0};
  for (size_t i = 0; i < config->checks.size(); ++i) {
    if (config->takes_turns[i]) turns += config->checks[i].deadline + Runner::kLetGoWithin;
  }
  for (size_t i = 0; i < config->checks.size(); ++i) {
    CheckSpec& check = config->checks[i];
    if (check.valid_for > Millis(0)) continue;
    check.valid_for = 3 * check.every + check.confirm * (check.deadline + Millis(1'000));
    if (config->takes_turns[i]) check.valid_for += turns - check.deadline - Runner::kLetGoWithin;
    check.valid_for = std::min(check.valid_for, limits::kMaxValidFor);
  }
}

}  // namespace

AgentConfig ReadAgentConfig(std::string_view text, Faults& faults, World& world) {
  AgentConfig config;
  const Yaml root = ParseYaml(text, faults);
  if (root.kind == Yaml::Kind::kNull && !faults.empty()) return config;
  YamlMap map(root, faults);
  config.collectors = map.Strings("collector");
  if (config.collectors.empty()) map.Fault("collector", "`collector`: name at least one host:port");
  for (const std::string& address : config.collectors) {
    if (!ParseHostPort(address)) {
      map.Fault("collector", "`collector`: `" + OneLine(address, 60) + "` is not host:port");
    }
  }
  config.state = map.RequiredString("state");
  config.report_socket = map.String("report_socket", config.state + "/report.sock");
  config.interval =
      map.Duration("interval", limits::kMinInterval, limits::kMaxInterval, Millis(15'000));
  config.spool.retain = map.Duration("retain", kDay, 400 * kDay, config.spool.retain);
  config.spool.limit_bytes =
      map.Bytes("spool_limit", 1'000'000, 1'000'000'000'000, config.spool.limit_bytes);
  config.ca = config.state + "/ca.pem";
  config.certificate = config.state + "/agent.pem";
  config.key = config.state + "/agent.key";
  if (auto tls = map.Map("tls")) {
    config.ca = tls->String("ca", config.ca);
    config.certificate = tls->String("certificate", config.certificate);
    config.key = tls->String("key", config.key);
    tls->Finish();
  }
  std::set<std::string> names;
  std::vector<YamlMap> checks = map.Maps("checks");
  if (checks.empty()) map.Fault("checks", "`checks`: name at least one check");
  if (checks.size() > limits::kChecks) {
    map.Fault("checks", "`checks`: at most " + std::to_string(limits::kChecks));
    checks.clear();
  }
  for (YamlMap& check : checks) ReadCheck(check, world, names, &config);
  SetValidFor(&config);
  map.Finish();
  return config;
}

}  // namespace oppetid::agent
