// A run of the load generator: many pretended agents against one target, phase by phase.
//
// 1. All agents connect, say Hello and show their open runs: what an agent costs in memory.
// 2. All define their series and send each once: what a series costs.
// 3. The measured time: Snapshots at the interval, or one after the other, and state changes. It
//    ends with one fact of each agent; its ack says that everything before it has been taken.
// Each phase ends when every agent has its ack, so nothing is guessed by waiting.
// Threading: one thread runs everything, beside gRPC's own.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/load_payload.h"
#include "tests/bench/load_target.h"

namespace oppetid::load {

struct Plan {
  int agents = 200;
  Shape shape;  // interval 0: each Snapshot after the ack of the fact sent with the last
  Millis length{60'000};
  bool hold = false;  // after phase 2 only keep the streams, quietly, for this length
};

struct Figures {
  double cpu_seconds = 0;  // of the target, in phase 3
  double wall_seconds = 0;
  uint64_t samples = 0;  // sent in phase 3
  uint64_t sent = 0;     // Facts frames, in all
  uint64_t acked = 0;
  uint64_t skipped = 0;        // Snapshots not sent because the stream did not take the last ones
  uint64_t uncounted = 0;      // samples that the collector does not say it has taken
  std::vector<double> ack_ms;  // of phase 3, sorted
  double agent_bytes = 0;      // of the target, for each agent with its checks
  double series_bytes = 0;     // for each series
};

absl::StatusOr<Figures> Run(const Plan& plan, const Target& target);

// The value below which this share lies; 0 when there are none.
double Percentile(const std::vector<double>& sorted, double share);

}  // namespace oppetid::load
