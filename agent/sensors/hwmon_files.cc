#include "agent/sensors/hwmon_files.h"

#include <array>
#include <charconv>
#include <string_view>

#include "agent/sensors/reading.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using Files = std::map<std::string, std::string>;

struct KindOfFile {
  std::string_view prefix;
  HardwareKind kind;
  double steps;  // of the file, in one unit
};

constexpr auto kKinds = std::to_array<KindOfFile>({
    {"temp", HardwareKind::kTemperature, 1e3},
    {"humidity", HardwareKind::kHumidity, 1e5},
    {"fan", HardwareKind::kFan, 1},
    {"in", HardwareKind::kVoltage, 1e3},
    {"curr", HardwareKind::kCurrent, 1e3},
    {"power", HardwareKind::kPower, 1e6},
});

// Limits above this are a chip's way to say that it has none.
constexpr int64_t kMaxMilliCelsius = 200'000;

std::optional<int64_t> Number(const Files& files, const std::string& name) {
  const auto file = files.find(name);
  if (file == files.end()) return std::nullopt;
  const std::string& text = file->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end == text.data() + text.size() || *end == '\n';
  if (error != std::errc() || !whole) return std::nullopt;
  return value;
}

// "temp12_input" with the prefix "temp" is the sensor "temp12"; empty for any other file.
std::string SensorOf(std::string_view file, std::string_view prefix) {
  constexpr std::string_view kInput = "_input";
  if (!file.starts_with(prefix) || !file.ends_with(kInput)) return "";
  const std::string_view sensor = file.substr(0, file.size() - kInput.size());
  if (sensor.size() <= prefix.size()) return "";
  const std::string_view digits = sensor.substr(prefix.size());
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return "";
  return std::string(sensor);
}

State StateOfTemperature(const Files& files, const std::string& sensor, int64_t value) {
  const auto beyond = [&](const char* limit_name) {
    const auto limit = Number(files, sensor + limit_name);
    return limit && *limit > 0 && *limit < kMaxMilliCelsius && value >= *limit;
  };
  if (beyond("_crit") || Number(files, sensor + "_crit_alarm") == 1) return State::kCritical;
  return beyond("_max") ? State::kWarning : State::kOk;
}

State StateOfFan(const Files& files, const std::string& sensor, int64_t value) {
  const auto least = Number(files, sensor + "_min");
  return least && *least > 0 && value < *least ? State::kWarning : State::kOk;
}

HardwareReading Read(const Files& files, const std::string& chip, const std::string& sensor,
                     const KindOfFile& kind) {
  HardwareReading reading;
  reading.kind = kind.kind;
  const auto label = files.find(sensor + "_label");
  const std::string own = label == files.end() ? "" : OneLine(label->second, kMaxReadingName);
  reading.name = OneLine(chip + " " + (own.empty() ? sensor : own), kMaxReadingName);
  const auto value = Number(files, sensor + "_input");
  if (!value || Number(files, sensor + "_fault") == 1) {
    reading.state = State::kUnknown;
    return reading;
  }
  reading.value = static_cast<double>(*value) / kind.steps;
  if (kind.kind == HardwareKind::kTemperature) {
    reading.state = StateOfTemperature(files, sensor, *value);
  } else if (kind.kind == HardwareKind::kFan) {
    reading.state = StateOfFan(files, sensor, *value);
  }
  return reading;
}

}  // namespace

std::vector<HardwareReading> ReadingsOfChip(const std::string& chip, const Files& files) {
  std::vector<HardwareReading> readings;
  for (const KindOfFile& kind : kKinds) {
    for (const auto& [name, content] : files) {
      const std::string sensor = SensorOf(name, kind.prefix);
      if (sensor.empty() || readings.size() >= kMaxReadings) continue;
      readings.push_back(Read(files, chip, sensor, kind));
    }
  }
  return readings;
}

}  // namespace oppetid::agent
