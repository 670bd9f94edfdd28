// Ticket clocks: what was answered and resolved in time.
//
// Pure, safe from any thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/sla/catalogue.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

// The open time of a calendar with its running sum: a question costs a binary search.
class OpenTime {
 public:
  explicit OpenTime(Intervals open);
  // Open time within [from, to).
  Millis Between(Instant from, Instant to) const;
  // The instant in open time before which `elapsed` of it has passed since `from`; kForever where
  // there is none.
  Instant After(Instant from, Millis elapsed) const;

 private:
  Millis Before(Instant at) const;
  Intervals open_;
  std::vector<Millis> before_;  // open time before each interval
};

enum class Decision { kUndecided, kMet, kBreached };

struct Decided {
  Decision decision = Decision::kUndecided;
  Instant at;  // where decided
};

// One ticket as a period sees it.
struct TicketCase {
  std::string municipality, kind, priority;
  Instant created;
  std::optional<Instant> response;
  std::optional<Instant> final_resolution;
  std::optional<Millis> response_time;
  std::optional<Millis> resolution_time;
  std::vector<Instant> reopenings;
  Decided response_decided;  // always undecided without a target
  Decided resolution_decided;
};

struct TicketFigures {
  std::string municipality, kind, priority;
  int64_t created = 0, resolved = 0, backlog = 0, reopened = 0;
  int64_t response_met = 0, response_breached = 0;
  int64_t resolution_met = 0, resolution_breached = 0;
  std::optional<int64_t> median_resolution_ms, p90_resolution_ms, median_response_ms;
  // Against the agreed share; nullopt where nothing was decided or no share is agreed.
  std::optional<bool> target_met, response_target_met;
};

struct SatisfactionFigures {
  std::string municipality;
  int64_t answers = 0;
  int64_t sum = 0;
  int64_t four_or_more = 0;
};

struct TicketReport {
  std::vector<TicketFigures> rows;                // by municipality, kind, priority as text
  std::vector<SatisfactionFigures> satisfaction;  // by municipality
};

// Each ticket that counts by `end`, as seen there.
void ForEachTicketCase(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                       Instant end,
                       const std::function<void(const Ticket&, const TicketCase&)>& visit);

TicketReport AccountTickets(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                            Interval period);

}  // namespace oppetid::collector
