// Asks sensors, each within its deadline, and measures how long they took.
//
// When a deadline passes the attempt is cancelled and answered at once with the sensor's
// StateWhenLate, whether or not the sensor has let go yet; until it has, further attempts at it are
// answered the same way, so that one hanging call never becomes two.
//
// Checks that are heavy on what they ask (backup repositories) take turns: one at a time, in the
// order they were asked, whatever they are. Waiting for a turn costs nothing of a deadline.
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
  // What was answered, to an attempt that began at `started` and took this long.
  using Done = std::function<void(Answer, Instant started, std::chrono::microseconds)>;

  // `takes_turns` by check; those beyond its end do not.
  Runner(World& world, std::vector<std::unique_ptr<Sensor>>& sensors,
         const std::vector<bool>& takes_turns = {});
  ~Runner();

  // Calls `done` exactly once, never from within this call. A check is not asked again before its
  // answer.
  void Ask(size_t check, Millis deadline, Done done);

  // A turn ends when its sensor lets go, at the latest so long after its deadline: a tool that died
  // with a file server must not keep the others waiting.
  static constexpr Millis kLetGoWithin{5'000};

  // Cancels everything under way. `done` is not called for it any more.
  void Stop();
  // Attempts that have not let go yet.
  size_t under_way() const;

 private:
  struct Slot;
  struct Turns;
  World& world_;
  std::shared_ptr<Turns> turns_;
  std::vector<std::shared_ptr<Slot>> slots_;
};

}  // namespace oppetid::agent
