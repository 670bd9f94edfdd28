#include "agent/sensors/hardware.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <map>

namespace oppetid::agent {
namespace {

struct KindTraits {
  const char* family;
  const char* format;
};

KindTraits TraitsOf(HardwareKind kind) {
  switch (kind) {
    case HardwareKind::kTemperature:
      return {"hardware_temperature_celsius", " %.0f \xC2\xB0\x43"};
    case HardwareKind::kFan:
      return {"hardware_fan_rpm", " %.0f rpm"};
    case HardwareKind::kVoltage:
      return {"hardware_voltage_volts", " %.2f V"};
    case HardwareKind::kCurrent:
      return {"hardware_current_amperes", " %.1f A"};
    case HardwareKind::kPower:
      return {"hardware_power_watts", " %.0f W"};
    case HardwareKind::kHumidity:
    case HardwareKind::kOther:
      break;
  }
  return {nullptr, nullptr};
}

std::string Shown(const HardwareReading& reading) {
  const KindTraits traits = TraitsOf(reading.kind);
  if (!reading.value || traits.format == nullptr) return "";
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), traits.format, *reading.value);
  return buffer.data();
}

std::vector<std::string> RoomSensors(YamlMap& config, std::vector<std::string> defaults) {
  if (!config.Has("room_sensors")) return defaults;
  return ReadPatterns(config, "room_sensors");
}

}  // namespace

HardwareJudge::HardwareJudge(YamlMap& config, std::vector<std::string> default_room_sensors)
    : names_(NameFilter::Read(config)),
      room_sensors_(RoomSensors(config, std::move(default_room_sensors))),
      room_(ReadRoomLevels(config), ReadRoom(config)) {}

void HardwareJudge::Judge(const std::vector<HardwareReading>& readings, Steady now,
                          Answer& answer) {
  Verdict verdict;
  std::vector<Reading> in_room;
  std::map<std::string, int> seen;
  size_t told = 0;
  for (const HardwareReading& reading : readings) {
    if (!names_.Wants(reading.name)) continue;
    if (told == kMaxReadings) {
      verdict.Add(State::kUnknown,
                  "more than " + std::to_string(kMaxReadings) + " sensors; choose with `only`");
      break;
    }
    ++told;
    Tell(reading, verdict);
    const bool air = MatchesAny(reading.name, room_sensors_);
    if (reading.kind == HardwareKind::kHumidity) {
      in_room.push_back({ReadingKind::kHumidity, reading.name, reading.value});
    } else if (reading.kind == HardwareKind::kTemperature && air) {
      in_room.push_back({ReadingKind::kTemperature, reading.name, reading.value});
    } else if (const char* family = TraitsOf(reading.kind).family;
               family != nullptr && reading.value && std::isfinite(*reading.value)) {
      const int twin = ++seen[family + reading.name];
      const std::string name =
          twin == 1 ? reading.name : reading.name + " (" + std::to_string(twin) + ")";
      answer.samples.push_back({family, {{"sensor", name}}, *reading.value});
    }
  }
  if (told == 0) {
    answer.text = "no sensors found";
    return;
  }
  room_.Judge(std::move(in_room), now, verdict, answer);
  verdict.Summarise(told == 1 ? "1 sensor within its limits"
                              : std::to_string(told) + " sensors within their limits");
  answer.state = verdict.state();
  answer.text = verdict.Text();
}

void HardwareJudge::Tell(const HardwareReading& reading, Verdict& verdict) const {
  if (reading.state == State::kOk) return;
  std::string text = reading.name + Shown(reading);
  if (!reading.trouble.empty()) {
    verdict.Add(reading.state, reading.name + ": " + reading.trouble);
    return;
  }
  if (reading.state == State::kUnknown) text += " gives no value";
  if (reading.state == State::kWarning) text += " beyond its own limit";
  if (reading.state == State::kCritical) text += " beyond its own critical limit";
  verdict.Add(reading.state, text);
}

}  // namespace oppetid::agent
