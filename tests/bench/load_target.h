// The process that is measured, and what it costs: a collector that runs already, one of our own,
// or the sink that only decodes.
//
// Threading: one thread. Lifetime: a process of our own ends with the target.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/support/test_ca.h"

namespace oppetid::load {

class Target {
 public:
  virtual ~Target() = default;
  virtual const TestCa& ca() const = 0;
  virtual std::string grpc() const = 0;  // ip:port
  virtual pid_t pid() const = 0;
  // Samples that the process says it has taken; negative when it does not count them.
  virtual double SamplesTaken() const = 0;

  // CPU time of all its threads so far, to the nanosecond.
  absl::StatusOr<double> CpuSeconds() const;
  // Its proportional share of memory (PSS).
  absl::StatusOr<double> MemoryBytes() const;
};

// A running deploy/run state directory.
absl::StatusOr<std::unique_ptr<Target>> OpenState(const std::string& directory);
absl::StatusOr<std::unique_ptr<Target>> StartCollector();
absl::StatusOr<std::unique_ptr<Target>> StartSink();

}  // namespace oppetid::load
