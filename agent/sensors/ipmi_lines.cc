#include "agent/sensors/ipmi_lines.h"

#include <charconv>
#include <cmath>

#include "agent/sensors/reading.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// Takes what is behind the last comma off `line`.
std::string_view LastField(std::string_view& line) {
  const size_t comma = line.rfind(',');
  if (comma == std::string_view::npos) return "";
  const std::string_view field = line.substr(comma + 1);
  line.remove_suffix(line.size() - comma);
  return field;
}

std::optional<State> StateOf(std::string_view status) {
  // With its side (lnc, ucr) or without.
  if (status.size() == 3 && (status[0] == 'l' || status[0] == 'u')) status.remove_prefix(1);
  if (status == "ok") return State::kOk;
  if (status == "nc") return State::kWarning;                     // non-critical
  if (status == "cr" || status == "nr") return State::kCritical;  // critical, non-recoverable
  return std::nullopt;                                            // ns: no reading
}

void TakeUnit(std::string_view unit, HardwareReading& reading) {
  double& value = *reading.value;
  if (unit == "degrees C") {
    reading.kind = HardwareKind::kTemperature;
  } else if (unit == "degrees F") {
    reading.kind = HardwareKind::kTemperature;
    value = (value - 32) / 1.8;
  } else if (unit == "RPM") {
    reading.kind = HardwareKind::kFan;
  } else if (unit == "Volts") {
    reading.kind = HardwareKind::kVoltage;
  } else if (unit == "Amps") {
    reading.kind = HardwareKind::kCurrent;
  } else if (unit == "Watts") {
    reading.kind = HardwareKind::kPower;
  }
}

std::optional<HardwareReading> ParseLine(std::string_view line) {
  const auto state = StateOf(LastField(line));
  if (!state) return std::nullopt;
  const std::string_view unit = LastField(line);
  const std::string_view number = LastField(line);
  if (number.empty()) return std::nullopt;  // a discrete sensor: a name and a bit mask
  HardwareReading reading;
  reading.state = *state;
  reading.name = OneLine(line, kMaxReadingName);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool is_number = error == std::errc() && end == number.data() + number.size();
  if (reading.name.empty() || !is_number || !std::isfinite(value)) return std::nullopt;
  reading.value = value;
  TakeUnit(unit, reading);
  return reading;
}

}  // namespace

std::vector<HardwareReading> ParseIpmiLines(std::string_view text) {
  std::vector<HardwareReading> readings;
  while (!text.empty() && readings.size() < kMaxReadings) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto reading = ParseLine(line)) readings.push_back(std::move(*reading));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return readings;
}

}  // namespace oppetid::agent
