// What a server room's sensors measure, and the verdict over it, whatever they were read through
// (SNMP, IPMI, hwmon, a UPS): temperature and how fast it rises, humidity, water, smoke, doors,
// currents.
//
// A level is kept until the value is clearly back inside (hysteresis), so that a temperature on the
// edge does not ring all night; brief spikes are the runner's confirmation to judge.
// Threading: the agent's thread. A RoomJudge lives as long as its sensor: it remembers the last
// quarter of an hour, and which probes there were.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/sensors/host_levels.h"
#include "agent/sensors/reading.h"
#include "agent/sensors/sensor.h"

namespace oppetid::agent {

// A thermometer that says more or less than this is broken or cut off, and measures nothing.
inline constexpr double kMinCelsius = -50;
inline constexpr double kMaxCelsius = 200;  // beyond it everything has melted

// Limits on both sides, in thousandths of the unit. A value beyond a limit is in it.
struct Band {
  std::optional<int64_t> low_critical, low_warning, warning, critical;
  int64_t margin = 0;  // how far back inside a value must come to leave a level

  State Of(int64_t value, State before) const;
};

struct RoomLevels {
  Band temperature;
  Band humidity;
  Band current;
  std::optional<int64_t> rise;  // thousandths of a degree within 15 minutes
  State leak = State::kCritical;
  State smoke = State::kCritical;
  Levels door;  // milliseconds open
};

// Reads `temperature`, `humidity`, `leak`, `smoke`, `door` and `breaker`, all with defaults.
RoomLevels ReadRoomLevels(YamlMap& config);

// The name of the room that a check is in, for its label; empty when not given.
std::string ReadRoom(YamlMap& config);

// The labels of a series of that room; an empty `sensor` stands for the whole check.
Labels RoomLabels(const std::string& room, const std::string& sensor = "");

class RoomJudge {
 public:
  RoomJudge(RoomLevels levels, std::string room) : levels_(levels), room_(std::move(room)) {}

  // Judges the readings of one attempt, at most kMaxReadings of them, and adds their samples.
  void Judge(std::vector<Reading> readings, Steady now, Verdict& verdict, Answer& answer);

 private:
  struct Track {
    State state = State::kOk;
    std::deque<std::pair<Steady, int64_t>> history;
    std::optional<Steady> open_since;
  };
  using Key = std::pair<ReadingKind, std::string>;

  void JudgeOne(const Reading& reading, Steady now, Track& track, Verdict& verdict);
  void JudgeRise(const Reading& reading, int64_t value, Steady now, Track& track, Verdict& verdict);
  void JudgeDoor(const Reading& reading, bool open, Steady now, Track& track, Verdict& verdict);

  RoomLevels levels_;
  std::string room_;
  std::map<Key, Track> tracks_;
};

}  // namespace oppetid::agent
