// A clock that a test owns: it stands still until it is told to move.
#pragma once

#include "common/clock.h"

namespace oppetid {

class ManualClock : public Clock {
 public:
  explicit ManualClock(Instant now) : now_(now) {}
  Instant Now() const override { return now_; }
  Steady SteadyNow() const override { return steady_; }
  void Advance(Millis by) {
    now_ += by;
    steady_ += by;
  }
  // As when somebody sets the machine's clock.
  void SetWall(Instant now) { now_ = now; }

 private:
  Instant now_;
  Steady steady_{std::chrono::hours(1)};
};

}  // namespace oppetid
