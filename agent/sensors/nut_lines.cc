#include "agent/sensors/nut_lines.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/text.h"

namespace oppetid::agent {
namespace {

// Takes the word before the next space off `line`.
std::string_view Word(std::string_view& line) {
  const size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

// "a \"b\" \\ c" with its quotes; nullopt when they do not close at the end.
std::optional<std::string> Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"') return std::nullopt;
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size() ? std::optional(value) : std::nullopt;
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    value += text[i];
  }
  return std::nullopt;
}

const std::string* Find(const NutAnswer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.variables) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<double> Number(const NutAnswer& answer, std::string_view name) {
  const std::string* text = Find(answer, name);
  if (text == nullptr) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// What a device gives that does not know is -1 or such.
std::optional<double> NotNegative(std::optional<double> value) {
  return value && *value >= 0 ? value : std::nullopt;
}

std::string OfPhase(std::string_view before, int phase, std::string_view after) {
  return std::string(before) + std::to_string(phase) + std::string(after);
}

// A UPS for three phases may tell of each alone: the fullest is the one that overloads it.
std::optional<double> LoadOf(const NutAnswer& answer) {
  std::optional<double> load = NotNegative(Number(answer, "ups.load"));
  for (int phase = 1; phase <= 3 && !Number(answer, "ups.load"); ++phase) {
    const auto one = NotNegative(Number(answer, OfPhase("output.L", phase, ".power.percent")));
    if (one) load = std::max(load.value_or(0), *one);
  }
  return load;
}

// The weakest phase is the one that fails.
std::optional<double> InputVolts(const NutAnswer& answer) {
  std::optional<double> volts = Number(answer, "input.voltage");
  for (int phase = 1; phase <= 3 && !Number(answer, "input.voltage"); ++phase) {
    const auto one = Number(answer, OfPhase("input.L", phase, "-N.voltage"));
    if (one) volts = std::min(volts.value_or(*one), *one);
  }
  return volts;
}

void TakeStatus(std::string_view token, UpsReading& ups, bool& known) {
  if (token == "OL" || token == "OB" || token == "OFF" || token == "BYPASS") known = true;
  if (token == "OB") ups.on_battery = true;
  if (token == "LB") ups.low_battery = true;
  if (token == "RB") ups.replace_battery = true;
  if (token == "OVER") ups.overload = true;
  if (token == "BYPASS") ups.bypass = true;
  if (token == "OFF") ups.off = true;
  if (token == "CAL") ups.calibrating = true;
  if (token == "ALARM") ups.alarm = true;
  if (token == "FSD") ups.forced_shutdown = true;
}

}  // namespace

NutAnswer ParseNutAnswer(std::string_view text) {
  NutAnswer answer;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view kind = Word(line);
    if (kind == "ERR") {
      answer.error = OneLine(line, 60);
      if (answer.error.empty()) answer.error = "an error without a name";
      answer.complete = true;
      return answer;
    }
    if (kind == "END") {
      answer.complete = true;
      return answer;
    }
    if (kind != "VAR" || answer.variables.size() >= kMaxNutVariables) continue;
    Word(line);  // the UPS's name
    const std::string name(Word(line));
    if (auto value = Unquote(line)) answer.variables.emplace_back(name, std::move(*value));
  }
  return answer;
}

std::optional<UpsReading> UpsOfNut(const NutAnswer& answer) {
  const std::string* status = Find(answer, "ups.status");
  if (status == nullptr) return std::nullopt;
  UpsReading ups;
  bool known = false;
  std::string_view rest = *status;
  while (!rest.empty()) TakeStatus(Word(rest), ups, known);
  if (!known) return std::nullopt;
  ups.charge_percent = NotNegative(Number(answer, "battery.charge"));
  ups.runtime_seconds = NotNegative(Number(answer, "battery.runtime"));
  ups.load_percent = LoadOf(answer);
  ups.temperature_celsius = Number(answer, "ups.temperature");
  if (ups.temperature_celsius == 0) ups.temperature_celsius.reset();  // it has no thermometer
  ups.input_volts = InputVolts(answer);
  if (const std::string* alarm = Find(answer, "ups.alarm"); alarm != nullptr && ups.alarm) {
    ups.alarm_text = OneLine(*alarm, kMaxAlarmText);
  }
  return ups;
}

std::vector<Reading> AmbientOfNut(const NutAnswer& answer) {
  std::vector<Reading> readings;
  if (const auto celsius = Number(answer, "ambient.temperature")) {
    readings.push_back({ReadingKind::kTemperature, "ambient", *celsius});
  }
  if (const auto percent = Number(answer, "ambient.humidity")) {
    readings.push_back({ReadingKind::kHumidity, "ambient", *percent / 100});
  }
  return readings;
}

}  // namespace oppetid::agent
