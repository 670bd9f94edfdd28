// The time of runs that had to go from a full spool, until the gaps for it are durable.
//
// Run by run: a ledger may know the beginning of each by a Snapshot, and a gap that begins with a
// run says nothing against it; the next one ends it. Bounded; where there are too many, the last
// gap of a check stands for the rest. Pure; one thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/holes.h"
#include "common/instant.h"

namespace oppetid::agent {

class LostRuns {
 public:
  void Note(const std::string& check, Instant from, Instant to);
  // By check, then by beginning.
  std::vector<LostTime> All() const;
  bool empty() const { return by_check_.empty(); }
  void clear();

 private:
  std::map<std::string, std::vector<std::pair<Instant, Instant>>> by_check_;
  size_t size_ = 0;
};

}  // namespace oppetid::agent
