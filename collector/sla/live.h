// The figures of the agreements as they stand now, without computing everything anew.
//
// What lies more than a while back is settled: computed from the ledger now and then, by Settle.
// The rest is a short tail, computed from the spans that memory has whenever somebody asks, by
// LiveFigures. Classes of time add up, so both together are the milliseconds that the calculator
// gives for the whole (tested).
// Pure, safe from any thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/sla/availability.h"

namespace oppetid::collector {

// The windows, in this order everywhere.
inline constexpr std::array<const char*, 3> kLiveWindows = {"30d", "month", "quarter"};

// Where they begin at `now`: the full hour 30 days ago; local midnight of the first of this month,
// and of this quarter.
std::array<Instant, kLiveWindows.size()> WindowStarts(Instant now, const Zone& zone);

// Time by class over a stretch; two that adjoin can be joined, and the longest time down in one
// piece is found across the seam.
class Tally {
 public:
  // Stretches come in the order of time, without holes.
  void Add(int64_t ms, TimeClass its);
  void Join(const Tally& later);

  const Measured& measured() const { return measured_; }
  int64_t excluded_ms() const { return excluded_ms_; }
  int64_t outside_ms() const { return outside_ms_; }
  int64_t longest_down_ms() const { return longest_; }

 private:
  Measured measured_;
  int64_t excluded_ms_ = 0, outside_ms_ = 0;
  // Down without another class in between: the longest, the first and the last stretch.
  int64_t longest_ = 0, head_ = 0, tail_ = 0;
  bool all_down_ = true;  // of nothing yet, too
};

using SpansByCheck = std::map<std::string, std::vector<Span>, std::less<>>;

struct Settled {
  std::shared_ptr<const Catalogue> catalogue;
  Facts decisions;  // maintenance, corrections, revocations
  Instant at;       // everything before is in `rows`
  std::array<Instant, kLiveWindows.size()> starts{};
  // In the catalogue's order of services and their members.
  std::vector<std::array<Tally, kLiveWindows.size()>> rows;
  SpansByCheck tail;  // what may decide from `at` on
};

// `spans` must hold every span that touches the time since the earliest window's start.
Settled Settle(std::shared_ptr<const Catalogue> catalogue, Facts decisions, SpansByCheck spans,
               Instant at, Instant now);

// Whether a span that is learnt now leaves what is settled as it is: if so it belongs into the
// tail, else Settle must run again.
bool LeavesSettled(const Settled& settled, const std::string& check, const Span& span);

enum class LiveState { kUp, kDown, kUnknown, kExcluded };

struct LiveRow {
  const Service* service;
  std::string municipality;
  LiveState state;  // at `now`; excluded: within hours, by maintenance or correction
  std::array<Tally, kLiveWindows.size()> windows;
  std::array<Verdict, kLiveWindows.size()> verdicts;
};

// `tail` holds what memory knows from settled.at on: settled.tail and what came since. `now` is at
// or after settled.at. Rows refer to the settled catalogue.
std::vector<LiveRow> LiveFigures(const Settled& settled, SpansByCheck tail, Instant now);

// Every check that a service names, by full name, and whether all its services are in an announced
// window at `now`. Whether the window was announced in time to count as planned does not matter
// here: nobody is to be woken for work that is known.
std::map<std::string, bool> ChecksInMaintenance(const Catalogue& catalogue, const Facts& decisions,
                                                Instant now);

}  // namespace oppetid::collector
