// The verdict over the sensors inside a machine: by the machine's own limits, because what is hot
// for a processor is not what is hot for a room. Sensors of the air that it takes in (an inlet, a
// probe) are the room's, and are judged by the room's levels too.
//
// Threading: the agent's thread. Lives as long as its sensor.
#pragma once

#include <string>
#include <vector>

#include "agent/sensors/hardware_reading.h"
#include "agent/sensors/name_filter.h"
#include "agent/sensors/room.h"

namespace oppetid::agent {

class HardwareJudge {
 public:
  // Reads `only`, `ignore`, `room_sensors`, `room` and the room's levels.
  HardwareJudge(YamlMap& config, std::vector<std::string> default_room_sensors);

  // Judges one attempt. Unknown when nothing at all can be read.
  void Judge(const std::vector<HardwareReading>& readings, Steady now, Answer& answer);

 private:
  void Tell(const HardwareReading& reading, Verdict& verdict) const;

  NameFilter names_;
  std::vector<std::string> room_sensors_;
  RoomJudge room_;
};

}  // namespace oppetid::agent
