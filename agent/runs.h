// Runs: how long each check has been in which state, unbroken. Pure; time comes in.
//
// Observations go in; closed runs come out as facts, in the order of their closing. The rules are
// those of ARCHITECTURE.md, "Runs". Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/confirmation.h"
#include "common/instant.h"
#include "common/state.h"

namespace oppetid::agent {

struct Run {
  State state = State::kUnknown;
  Instant since;
  Instant last;  // >= since
  Millis valid_for{};
};

// Why a run ended; the numbers are those of the wire's EndReason.
enum class EndReason { kChanged = 1, kSilent = 2, kClockStep = 3, kRestart = 4, kRemoved = 5 };

struct ClosedRun {
  std::string check;
  Run run;
  EndReason reason = EndReason::kChanged;
};

class Runs {
 public:
  // Takes an observation. One that claims to be before the run's last (a clock slewed backwards)
  // counts as of that last.
  void Observe(const std::string& check, const Observation& observation, Millis valid_for);

  // Closes runs that nothing was observed of for their valid_for.
  void Expire(Instant now);

  // Closes every open run, as it stands.
  void CloseAll(EndReason reason);

  // Closed since the last call.
  std::vector<ClosedRun> TakeClosed();

  // Open runs by check.
  const std::map<std::string, Run>& open() const { return open_; }

 private:
  std::map<std::string, Run> open_;
  std::vector<ClosedRun> closed_;
};

}  // namespace oppetid::agent
