// The newest values of every check, and the dictionary by which a stream names their series.
//
// Samples are not facts: only the newest of each check is kept, and all are sent again on a new
// stream. Within a stream a series is defined once and then named by its id.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/instant.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

class Newest {
 public:
  explicit Newest(size_t checks) : sets_(checks) {}

  // The samples of a check's newest attempt, which started at `at`; they replace its earlier ones.
  void Set(size_t check, Answer&& answer, Instant at);

  // A new stream: nothing is defined, everything is to be sent. `max_series` is what the collector
  // accepts; what is beyond it is left out and counted.
  void StartStream(uint32_t max_series);

  // Adds what is new since the last call, definitions first; true when a frame could not take it
  // all and another should follow.
  bool Fill(v1::Snapshot* snapshot);

  // Series left out of the last Fill: beyond the collector's limit, or one check too wide for a
  // frame.
  uint64_t left_out() const { return left_out_; }

 private:
  struct Series {
    std::string key;  // name and labels, as compared
    std::string name;
    Labels labels;
    bool carried = false;
    double value = 0;
  };
  struct ValueSet {
    std::vector<Series> series;
    Instant at;
    bool dirty = false;
  };
  // What a series, or a set, adds to a frame at most.
  size_t Bytes(const Series& series) const;
  size_t Bytes(const ValueSet& set) const;
  // The id of a series, defining it in `snapshot` if need be; 0 when the limit is reached.
  uint32_t Id(uint32_t check, const Series& series, v1::Snapshot* snapshot);

  std::vector<ValueSet> sets_;
  std::unordered_map<std::string, uint32_t> ids_;
  uint32_t max_series_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace oppetid::agent
