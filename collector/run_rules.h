// What a run on the wire must be, for everyone who takes one in. Pure.
#pragma once

#include "collector/dictionary.h"
#include "common/limits.h"
#include "common/state.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::collector {

inline State FromWire(v1::State state) { return static_cast<State>(static_cast<int>(state) - 1); }

// What is wrong with a run, or kAccepted. 1970 is an unset clock, not a measurement.
inline Reason CheckRun(int64_t since_ms, int64_t last_ms, int64_t valid_for_ms, v1::State state,
                       Instant now) {
  if (state < v1::STATE_OK || state > v1::STATE_UNKNOWN) return "run_state";
  if (since_ms <= 0 || last_ms < since_ms) return "run_instants";
  if (valid_for_ms < 1 || valid_for_ms > limits::kMaxValidFor.count()) return "run_valid_for";
  if (last_ms > ToUnixMillis(now + limits::kClockAhead)) return "from_the_future";
  return kAccepted;
}

}  // namespace oppetid::collector
