#include "agent/holes.h"

#include <algorithm>
#include <utility>

namespace oppetid::agent {

void Holes::Lose(const std::string& check, Instant from, Instant to) {
  if (from < to) lost_.push_back({check, from, to});
}

void Holes::Run(const std::string& check, Instant since, Instant last) {
  if (const auto pending = pending_.find(check); pending != pending_.end()) {
    // A clock that was set back leaves no later neighbour: then until the newest that is known.
    const bool set_back = since + Millis(1) < pending->second;
    Lose(check, pending->second, set_back ? newest_.value_or(since) : since);
    pending_.erase(pending);
  } else if (hole_ && !before_.contains(check)) {
    Lose(check, unseen_from_.value_or(since), since);
  }
  before_[check] = last;
  newest_ = std::max(newest_.value_or(last), last);
}

void Holes::Hole() {
  // What was seen stays believed: the gap begins right after it.
  for (const auto& [check, last] : before_) pending_.emplace(check, last + Millis(1));
  if (!hole_) unseen_from_ = newest_;
  hole_ = true;
}

std::vector<LostTime> Holes::End(const std::vector<std::string>& checks, Instant now) {
  for (const auto& [check, from] : pending_) Lose(check, from, now);
  if (hole_ && unseen_from_) {
    for (const std::string& check : checks) {
      if (!before_.contains(check)) Lose(check, *unseen_from_, now);
    }
  }
  return std::exchange(lost_, {});
}

}  // namespace oppetid::agent
