#include "agent/runs.h"

#include <algorithm>
#include <utility>

namespace oppetid::agent {

void Runs::Observe(const std::string& check, const Observation& observation, Millis valid_for) {
  const auto found = open_.find(check);
  if (found == open_.end()) {
    open_.emplace(check, Run{observation.state, observation.since, observation.last, valid_for});
    return;
  }
  Run& run = found->second;
  const Instant last = std::max(observation.last, run.last);
  // Silence longer than the run holds for breaks it, even if nobody called Expire in between.
  const bool silent = last > run.last + run.valid_for;
  if (!silent && run.state == observation.state && run.valid_for == valid_for) {
    run.last = last;
    return;
  }
  closed_.push_back({check, run, silent ? EndReason::kSilent : EndReason::kChanged});
  run = Run{observation.state, std::max(observation.since, run.last), last, valid_for};
}

void Runs::Expire(Instant now) {
  for (auto it = open_.begin(); it != open_.end();) {
    if (now > it->second.last + it->second.valid_for) {
      closed_.push_back({it->first, it->second, EndReason::kSilent});
      it = open_.erase(it);
    } else {
      ++it;
    }
  }
}

void Runs::CloseAll(EndReason reason) {
  for (const auto& [check, run] : open_) closed_.push_back({check, run, reason});
  open_.clear();
}

std::vector<ClosedRun> Runs::TakeClosed() { return std::exchange(closed_, {}); }

}  // namespace oppetid::agent
