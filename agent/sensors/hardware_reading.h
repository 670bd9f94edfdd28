// One reading of a sensor inside a machine, as IPMI and hwmon give it. Plain values.
#pragma once

#include <optional>
#include <string>

#include "common/state.h"

namespace oppetid::agent {

enum class HardwareKind {
  kTemperature,
  kHumidity,
  kFan,
  kVoltage,
  kCurrent,
  kPower,
  kOther  // judged, not measured
};

struct HardwareReading {
  HardwareKind kind = HardwareKind::kOther;
  std::string name;  // one safe line
  // Celsius, a share of 1, rotations per minute, volts, amperes, watts; absent when unreadable.
  std::optional<double> value;
  // By the limits that the hardware itself has for it.
  State state = State::kOk;
  // What a part that has no limits says is wrong with it; one safe line.
  std::string trouble;
};

}  // namespace oppetid::agent
