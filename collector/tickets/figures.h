// helpdesk_*: what the stored tickets say, as metrics.
//
// Computed anew from the ledger when tickets came or time has moved on, never for a scrape: that
// only prints them. Each series names its source, so that those of a source that is down end
// instead of freezing at their last value. Totals never go back, whatever is learnt later.
// ComputeFigures is pure but for the reader; TicketFigureTexts belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/ledger.h"
#include "collector/reach.h"
#include "collector/sla/catalogue.h"

namespace oppetid::collector {

// Upper bounds in seconds: from five minutes to a month.
inline constexpr int64_t kTicketSeconds[] = {300,    900,    1'800,  3'600,   7'200,   14'400,
                                             28'800, 57'600, 86'400, 172'800, 604'800, 2'592'000};
inline constexpr size_t kTicketBuckets = std::size(kTicketSeconds) + 1;  // and everything above

struct TicketHistogram {
  int64_t counts[kTicketBuckets] = {};  // of each bucket alone
  int64_t sum_ms = 0;
  void Add(Millis time);
};

struct TicketMetrics {
  using Labels = std::vector<std::string>;                 // the first two: municipality, source
  std::map<Labels, int64_t> open;                          // priority, kind
  std::map<Labels, int64_t> created, resolved, reopened;   // priority, kind
  std::map<Labels, TicketHistogram> response, resolution;  // priority
  // measure, priority, window: met and decided
  std::map<Labels, std::pair<int64_t, int64_t>> decided;
  std::map<Labels, std::pair<int64_t, int64_t>> satisfaction;  // sum, answers
};

// What `reader` has, as of `now`. Memory is bounded, whatever the number of tickets.
absl::StatusOr<TicketMetrics> ComputeTicketMetrics(LedgerReader& reader, const Catalogue& catalogue,
                                                   Instant now);

class TicketMetricTexts {
 public:
  void Set(TicketMetrics metrics);
  // In the text format, of the municipalities in `reach` and without the sources in `stale`.
  std::string Render(const Reach& reach, const std::set<std::string>& stale) const;

 private:
  TicketMetrics metrics_;
};

}  // namespace oppetid::collector
