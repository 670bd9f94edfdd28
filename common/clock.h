// Time enters Oppetid here and nowhere else, so that a test or a simulation can own it.
//
// Threading: implementations are safe to call from any thread.
#pragma once

#include <chrono>

#include "common/instant.h"

namespace oppetid {

// A reading of a clock that never jumps; only differences mean anything.
using Steady = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall-clock time, UTC; may jump when somebody sets the machine's clock.
  virtual Instant Now() const = 0;
  // Monotonic time, for deadlines and durations.
  virtual Steady SteadyNow() const = 0;
};

// The machine's clocks.
class SystemClock : public Clock {
 public:
  Instant Now() const override;
  Steady SteadyNow() const override;
};

}  // namespace oppetid
