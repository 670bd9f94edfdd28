#include "agent/sensors/ipmi_lines.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "agent/sensors/reading.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxFields = 64;     // a sensor of states lists each of its up to 15
constexpr size_t kMaxSensors = 4096;  // more lines than are kept of what a program says

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() < kMaxFields) {
    const size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) break;
    line.remove_prefix(comma + 1);
  }
  return fields;
}

// What is before `field`, without the comma between them.
std::string NameBefore(std::string_view line, std::string_view field) {
  const auto before = static_cast<size_t>(field.data() - line.data());
  return OneLine(line.substr(0, before - 1), kMaxReadingName);
}

std::optional<double> Number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
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

// The states (IPMI 2.0, tables 42-2 and 42-3) by which a part says itself that it is broken, or
// that the next breakdown will be felt. ipmitool's word for such a sensor is always "ok".
struct Trouble {
  std::string_view text;
  State state;
};
constexpr std::array kTroubles = {
    Trouble{"Failure detected", State::kCritical},
    Trouble{"Drive Fault", State::kCritical},
    Trouble{"In Failed Array", State::kCritical},
    Trouble{"Non-Redundant: Insufficient Resources", State::kCritical},
    Trouble{"Power Supply AC lost", State::kWarning},
    Trouble{"AC lost or out-of-range", State::kWarning},
    Trouble{"Predictive failure", State::kWarning},
    Trouble{"Predictive Failure", State::kWarning},
    Trouble{"Predictive Failure Asserted", State::kWarning},
    Trouble{"In Critical Array", State::kWarning},
    Trouble{"Redundancy Lost", State::kWarning},
    Trouble{"Redundancy Degraded", State::kWarning},
    Trouble{"Redundancy Degraded from Fully Redundant", State::kWarning},
    Trouble{"Redundancy Degraded from Non-Redundant", State::kWarning},
    Trouble{"Non-Redundant: Sufficient from Redundant", State::kWarning},
    Trouble{"Non-Redundant: Sufficient from Insufficient", State::kWarning},
};

// Takes the worst of the states in `fields`, from `first` on.
void TakeTrouble(const std::vector<std::string_view>& fields, size_t first,
                 HardwareReading& reading) {
  for (size_t i = first; i < fields.size(); ++i) {
    std::string_view text = fields[i];
    if (text.starts_with(' ')) text.remove_prefix(1);
    for (const Trouble& trouble : kTroubles) {
      const bool worse = reading.trouble.empty() || trouble.state > reading.state;
      if (text != trouble.text || !worse) continue;
      reading.trouble = std::string(text);
      reading.state = trouble.state;
    }
  }
}

// A sensor of states has the number of itself, in hexadecimal, where others have a value.
bool IsSensorNumber(std::string_view text) { return text.size() == 3 && text.back() == 'h'; }

// "NAME,VALUE,UNIT,STATUS" of a sensor with limits, "NAME,VALUE,UNIT,ok,ENTITY,STATE, STATE" of a
// measuring one without, "NAME,NUMBERh,ok,ENTITY,STATE, STATE" of one that has states only. A name
// may have commas.
std::optional<HardwareReading> ParseLine(std::string_view line) {
  const std::vector<std::string_view> fields = Fields(line);
  for (size_t i = 1; i + 2 < fields.size(); ++i) {
    HardwareReading reading;
    const auto state = StateOf(fields[i + 2]);
    if (const auto value = Number(fields[i]); value && state) {
      reading.value = value;
      reading.state = *state;
      TakeUnit(fields[i + 1], reading);
      TakeTrouble(fields, i + 4, reading);
    } else if (IsSensorNumber(fields[i]) && fields[i + 1] == "ok") {
      TakeTrouble(fields, i + 3, reading);
      if (reading.trouble.empty()) return std::nullopt;  // nothing to judge
    } else {
      continue;
    }
    reading.name = NameBefore(line, fields[i]);
    return reading.name.empty() ? std::nullopt : std::optional(reading);
  }
  return std::nullopt;
}

}  // namespace

std::vector<HardwareReading> ParseIpmiLines(std::string_view text) {
  std::vector<HardwareReading> readings;
  while (!text.empty() && readings.size() < kMaxSensors) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto reading = ParseLine(line)) readings.push_back(std::move(*reading));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return readings;
}

}  // namespace oppetid::agent
