// Asks sensors, each within its deadline, and measures how long they took.
//
// When a deadline passes the attempt is cancelled and answered at once with the sensor's
// StateWhenLate, whether or not the sensor has let go yet; until it has, further attempts at it are
// answered the same way, so that one hanging call never becomes two.
// Threading: the agent's thread. World and sensors must outlive the runner and the executor's work.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/clock.h"

namespace oppetid::agent {

class Runner {
 public:
  using Done = std::function<void(Answer, std::chrono::microseconds)>;

  Runner(World& world, std::vector<std::unique_ptr<Sensor>>& sensors);
  ~Runner();

  // Calls `done` exactly once, never from within this call.
  void Ask(size_t check, Millis deadline, Done done);

  // Cancels everything under way. `done` is not called for it any more.
  void Stop();
  // Attempts that have not let go yet.
  size_t under_way() const;

 private:
  struct Slot;
  World& world_;
  std::vector<std::unique_ptr<Sensor>>& sensors_;
  std::vector<std::shared_ptr<Slot>> slots_;
};

}  // namespace oppetid::agent
