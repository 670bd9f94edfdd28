// A UPS as any protocol tells of it, and the verdict over it.
//
// Threading: the agent's thread. A UpsJudge lives as long as its sensor: it remembers since when
// the UPS has been on battery, where the UPS itself does not tell.
#pragma once

#include <optional>
#include <string>

#include "agent/sensors/host_levels.h"
#include "agent/sensors/sensor.h"
#include "agent/sensors/ups_reading.h"

namespace oppetid::agent {

struct UpsLevels {
  Levels on_battery;                             // milliseconds on battery
  int64_t runtime_critical_s = 0;                // seconds left while on battery
  std::optional<int64_t> runtime_low_warning_s;  // seconds that the battery would last, on mains
  std::optional<int64_t> runtime_low_critical_s;
  Levels load;              // millionths of a percent
  int64_t charge_low = 0;   // millionths of a percent …
  Millis charge_low_for{};  // … for so long on mains
};

// Reads `on_battery`, `runtime`, `load` and `charge`, all with defaults.
UpsLevels ReadUpsLevels(YamlMap& config);

class UpsJudge {
 public:
  UpsJudge(UpsLevels levels, std::string room) : levels_(levels), room_(std::move(room)) {}

  void Judge(UpsReading ups, Steady now, Verdict& verdict, Answer& answer);

 private:
  void JudgePower(const UpsReading& ups, Steady now, Verdict& verdict, Answer& answer);
  void JudgeCharge(const UpsReading& ups, Steady now, Verdict& verdict);
  void AddSamples(const UpsReading& ups, Answer& answer) const;

  UpsLevels levels_;
  std::string room_;
  std::optional<Steady> on_battery_since_;
  std::optional<Steady> charge_low_since_;
};

}  // namespace oppetid::agent
