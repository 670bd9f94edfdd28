// What a UPS says of itself, in one form for NUT and SNMP. Plain values; what it does not say is
// absent.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace oppetid::agent {

inline constexpr size_t kMaxAlarmText = 80;  // a line of a message

struct UpsReading {
  bool on_battery = false;
  bool low_battery = false;
  bool replace_battery = false;
  bool overload = false;
  bool bypass = false;  // the load runs on raw mains
  bool off = false;     // the load gets nothing
  bool calibrating = false;
  bool alarm = false;
  bool forced_shutdown = false;
  std::optional<double> charge_percent;
  std::optional<double> runtime_seconds;
  std::optional<double> on_battery_seconds;
  std::optional<double> load_percent;
  std::optional<double> temperature_celsius;
  std::optional<double> input_volts;
  std::string alarm_text;  // one safe line; empty when it only says that there is an alarm
};

}  // namespace oppetid::agent
