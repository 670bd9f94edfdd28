// When each check is due. Pure: time comes in, indexes come out.
//
// Each check keeps a stable offset within its period, from a hash of host and check, so that the
// agents of a fleet do not beat in step, even when all of them start at the same moment.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace oppetid::agent {

class Schedule {
 public:
  explicit Schedule(std::string host) : host_(std::move(host)) {}

  // Adds the next check (indexes count from 0). Its first attempt comes within `kFirstWithin`, then
  // one each `every` at the instants k * every + offset of the wall clock as it was at `now`.
  void Add(std::string_view check, Millis every, Instant wall, Steady now);

  // The checks due at `now`, each moved on to its next turn. Turns missed (a suspended machine) are
  // skipped, not made up for.
  std::vector<size_t> TakeDue(Steady now);

  // When the next check is due; Steady::max() without checks.
  Steady Next() const;

  // A check is asked soon after a start, whatever its period.
  static constexpr Millis kFirstWithin{2'000};

 private:
  struct Turn {
    Steady first;  // the early first attempt; Steady::max() once taken
    Steady next;   // the next regular one
    Millis every;
  };
  std::string host_;
  std::vector<Turn> turns_;
};

}  // namespace oppetid::agent
