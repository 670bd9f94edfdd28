// What one pretended agent says: Hello, definitions, Snapshots with varying values, state changes.
//
// The mix is that of the peers' benchmark: 40 % counters that grow, 30 % noisy gauges, 30 %
// constants, spread evenly over the checks, under Oppetid's own families, so that they stand on
// /metrics. Pure; one thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "common/instant.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::load {

struct Shape {
  int series = 200;
  int checks = 30;
  Millis interval{1'000};
};

class Payload {
 public:
  Payload(const Shape& shape, int agent, uint64_t seed);

  v1::AgentFrame Hello(Instant now) const;
  // The first Snapshot with series; `Next` follows it. The frame is valid until the next call.
  const v1::AgentFrame& Definitions(Instant now);
  // One Snapshot: every open run, and unless `bare` every series with its newest value.
  const v1::AgentFrame& Next(Instant now, bool bare = false);
  // One check changes its state: the fact of the run that closed. The next Snapshot shows it.
  v1::AgentFrame Change(Instant now);

  uint64_t epoch() const { return epoch_; }
  uint64_t last_sequence() const { return next_sequence_ - 1; }
  int samples() const { return static_cast<int>(values_.size()); }

 private:
  void Vary();

  Shape shape_;
  std::minstd_rand random_;
  uint64_t epoch_;
  uint64_t next_sequence_ = 1;
  int changing_ = 0;  // the check whose state changes next
  std::vector<v1::OpenRun> runs_;
  std::vector<double> values_;  // by series id - 1
  v1::AgentFrame frame_;
};

}  // namespace oppetid::load
