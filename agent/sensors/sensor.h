// The interface of a sensor: it asks one question about one target and answers it.
//
// Down is an answer (critical); not being able to ask is unknown. Deadline, duration, confirmation
// of failures, spooling, metrics per check and panels are the runner's: a sensor only asks.
//
// Threading: everything here runs on the agent's one thread; what blocks goes through OnPool.
// Lifetime: the World outlives every sensor; a sensor outlives its questions under way.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async.h"
#include "common/clock.h"
#include "common/instant.h"
#include "common/state.h"

namespace oppetid::agent {

// What sensors may touch of the world.
struct World {
  boost::asio::any_io_executor executor;
  BlockingPool& pool;
  const Clock& clock;
  // Prefix of /proc, /sys, /etc …; empty in production, a directory of fixtures in tests.
  std::string root;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// One value of one series. `family` is a name in common/families.h, or, in Answer::carried, any
// valid Prometheus name outside our own prefixes. municipality, host and check are added later.
struct Sample {
  std::string family;
  Labels labels;
  double value = 0;
};

// A run of a backup job, or a restore test, that has ended: a fact, delivered once and kept for
// ever. Giving the same run (job, kind, start) again with later answers changes nothing.
struct BackupRun {
  std::string job;  // as for check names; its full name is <host>/<job>
  bool restore_test = false;
  Instant start;
  Instant end;  // not before start
  bool success = false;
  uint64_t bytes = 0;  // 0 where unknown
  uint64_t files = 0;  // 0 where unknown
};

struct Answer {
  State state = State::kUnknown;
  // One line for people, at most 256 bytes: what was seen, never a body, header or secret.
  std::string text;
  std::vector<Sample> samples;
  // Series of a foreign exporter, exposed apart on /metrics/carried.
  std::vector<Sample> carried;
  std::vector<BackupRun> backup_runs = {};
};

class Sensor {
 public:
  virtual ~Sensor() = default;

  // Asks once. Does not throw for anything the world does; a system_error from a cancelled
  // operation is how the runner's deadline ends it. Never called while an earlier one is under way.
  virtual boost::asio::awaitable<Answer> Ask() = 0;

  // The state when `Ask` does not end in time. Critical where no answer means that the target does
  // not serve its users (tcp, http, dns …); unknown where it only means that nobody could look.
  virtual State StateWhenLate() const { return State::kUnknown; }
};

}  // namespace oppetid::agent
