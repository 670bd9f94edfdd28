// exec: what does an existing monitoring plugin say? Runs any program that follows the Monitoring
// Plugins guidelines: exit codes 0 to 3 are ok, warning, critical and unknown, the first line is
// the text, performance data become metrics. Whatever else happens (another exit code, a signal, a
// program that must not or cannot be run, the deadline) is unknown: nobody could look.
//
// The program runs as the agent's own user (subprocess.h). Thresholds become plugin_warning and
// plugin_critical with bound="upper" (alert above) or "lower" (alert below), and, for ranges that
// alert within ("@10:20"), "inside_upper" and "inside_lower".
#include <algorithm>

#include "agent/sensors/file_trust.h"
#include "agent/sensors/plugin_output.h"
#include "agent/sensors/program_sensor.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxArguments = 256;       // far more than any plugin takes
constexpr size_t kMaxArgumentBytes = 8192;  // far below the kernel's 128 KiB
constexpr size_t kMaxVariables = 64;

void AddRange(const std::string& family, const PluginValue& value, const PluginRange& range,
              std::vector<Sample>& samples) {
  const std::string inside = range.inside ? "inside_" : "";
  const auto add = [&](const std::string& bound, double limit) {
    samples.push_back(
        {family, {{"bound", bound}, {"label", value.label}, {"unit", value.unit}}, limit});
  };
  if (range.lower) add(inside + "lower", *range.lower);
  if (range.upper) add(inside + "upper", *range.upper);
}

Answer Judge(const Finished& finished) {
  Answer answer;
  if (!finished.fault.empty()) {
    answer.text = OneLine(finished.fault);
    return answer;
  }
  PluginOutput output = ParsePluginOutput(finished.output);
  std::string_view error_text = finished.error_output;
  error_text.remove_prefix(std::min(error_text.find_first_not_of(" \t\r\n"), error_text.size()));
  std::string text = output.text.empty() ? OneLine(error_text) : output.text;
  if (finished.signal != 0) {
    text = "died of signal " + std::to_string(finished.signal) + (text.empty() ? "" : ": ") + text;
  } else if (finished.exit_code > 3) {
    text = "exit code " + std::to_string(finished.exit_code) + " is none of 0 to 3" +
           (text.empty() ? "" : ": ") + text;
  } else {
    answer.state = kStates[static_cast<size_t>(finished.exit_code)];
    if (text.empty()) text = "no output, exit code " + std::to_string(finished.exit_code);
  }
  answer.text = OneLine(text);
  for (const PluginValue& value : output.values) {
    answer.samples.push_back(
        {"plugin_value", {{"label", value.label}, {"unit", value.unit}}, value.value});
    AddRange("plugin_warning", value, value.warning, answer.samples);
    AddRange("plugin_critical", value, value.critical, answer.samples);
  }
  answer.samples.push_back({"plugin_values_ignored", {}, static_cast<double>(output.ignored)});
  return answer;
}

void ReadCommand(YamlMap& config, Command& command) {
  command.argv = config.Strings("command");
  if (command.argv.empty()) {
    config.Fault("command", "`command`: expected a list: [/absolute/path, argument, …]");
    return;
  }
  const bool too_long =
      command.argv.size() > kMaxArguments ||
      std::any_of(command.argv.begin(), command.argv.end(),
                  [](const std::string& argument) { return argument.size() > kMaxArgumentBytes; });
  if (too_long) {
    config.Fault("command", "`command`: at most 256 arguments of at most 8192 bytes");
  } else if (!command.argv.front().starts_with('/')) {
    config.Fault("command", "`command`: expected an absolute path, not `" +
                                OneLine(command.argv.front(), 100) + "`");
  } else if (command.argv.size() == 1 && command.argv.front().find(' ') != std::string::npos) {
    config.Fault("command", "`command`: no shell splits it; expected a list: [/path, argument, …]");
  } else if (const FileTrust trust = ExamineProgram(command.argv.front());
             trust.writable_by_others) {
    // One that is missing may be installed later: that is for Ask to say.
    config.Fault("command", "`command`: " + trust.reason);
  }
}

bool IsVariableName(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void ReadEnvironment(YamlMap& config, Command& command) {
  const Yaml* map = config.Raw("environment");
  if (map == nullptr) return;
  if (map->kind != Yaml::Kind::kMap || map->map.size() > kMaxVariables) {
    config.Fault("environment", "`environment`: expected a mapping of at most 64 variables");
    return;
  }
  for (const auto& [name, value] : map->map) {
    if (!IsVariableName(name) || value.kind != Yaml::Kind::kScalar ||
        value.scalar.size() > kMaxArgumentBytes) {
      config.Fault("environment", "`environment`: expected NAME: value, at most 8192 bytes");
      return;
    }
    command.environment.emplace_back(name, value.scalar);
  }
}

}  // namespace

std::unique_ptr<Sensor> MakeExecSensor(YamlMap& config, World& world) {
  Command command;
  ReadCommand(config, command);
  ReadEnvironment(config, command);
  return std::make_unique<ProgramSensor>(std::move(command), world, Judge);
}

}  // namespace oppetid::agent
