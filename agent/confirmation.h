// From attempts to observations: a failure counts once its re-checks have failed too. Pure.
//
// A failing attempt of a check that was not critical is followed by up to `confirm` re-checks. All
// fail: one critical observation per attempt, the first since the first failing attempt. One answers
// ok or warning: there was no downtime, only a counter. One cannot be asked: what could not be
// confirmed is unknown from the first failing attempt on, neither up nor down.
// Not thread-safe; one per check.
#pragma once

#include <cstdint>
#include <optional>

#include "common/instant.h"
#include "common/state.h"

namespace oppetid::agent {

// A check was seen in `state` by attempts that started from `since` to `last`.
struct Observation {
  State state = State::kUnknown;
  Instant since;
  Instant last;
};

class Confirmation {
 public:
  explicit Confirmation(int confirm) : confirm_(confirm) {}

  // Takes an attempt that started at `at`. No observation means: ask again, one second later.
  std::optional<Observation> Take(State state, Instant at);

  // Forgets a failure that is being confirmed (the clock was set, so its start means nothing).
  void Reset();

  // Failures that a re-check contradicted, since the start of the agent.
  uint64_t unconfirmed_total() const { return unconfirmed_total_; }

 private:
  int confirm_;
  State current_ = State::kUnknown;
  std::optional<Instant> failing_since_;
  int rechecks_left_ = 0;
  uint64_t unconfirmed_total_ = 0;
};

}  // namespace oppetid::agent
