#include "common/clock.h"

namespace oppetid {

Instant SystemClock::Now() const {
  return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}

Steady SystemClock::SteadyNow() const { return std::chrono::steady_clock::now(); }

}  // namespace oppetid
