#include "agent/confirmation.h"

namespace oppetid::agent {

std::optional<Observation> Confirmation::Take(State state, Instant at) {
  if (state == State::kCritical && current_ != State::kCritical) {
    if (!failing_since_) {
      failing_since_ = at;
      rechecks_left_ = confirm_ + 1;
    }
    if (--rechecks_left_ > 0) return std::nullopt;
  }
  Observation observation{state, at, at};
  if (failing_since_) {
    if (state == State::kCritical || state == State::kUnknown) {
      observation.since = *failing_since_;
    } else {
      ++unconfirmed_total_;
    }
    failing_since_.reset();
  }
  current_ = state;
  return observation;
}

void Confirmation::Reset() { failing_since_.reset(); }

}  // namespace oppetid::agent
