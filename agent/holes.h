// What damage to the spool may have cost: pure.
//
// Nobody can read in a damaged record whose run it was. But the runs of one check follow each other
// in the spool, so a check has lost at most the time between its last run before the hole and its
// next one after it; where these touch, or one run spans the hole, it has lost nothing.
// A Holes is used for one pass over the spool, from the oldest record to the newest, then thrown
// away. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/instant.h"

namespace oppetid::agent {

// Time whose facts are lost.
struct LostTime {
  std::string check;
  Instant from;
  Instant to;  // after from
};

class Holes {
 public:
  // The next record that could be read is a run of `check`.
  void Run(const std::string& check, Instant since, Instant last);
  // Here something could not be read.
  void Hole();
  // Nothing follows: a check that has no run after a hole has lost its time until now. A check of
  // `checks` that has no run at all may have had one in the hole.
  std::vector<LostTime> End(const std::vector<std::string>& checks, Instant now);

 private:
  void Lose(const std::string& check, Instant from, Instant to);

  std::map<std::string, Instant> before_;   // by check, where its newest run so far was seen last
  std::map<std::string, Instant> pending_;  // checks with a hole behind them, and since when
  std::optional<Instant> newest_;           // of all records so far
  bool hole_ = false;
  std::optional<Instant> unseen_from_;  // the same for checks that had no run before a hole
  std::vector<LostTime> lost_;
};

}  // namespace oppetid::agent
