// The account of one service for one municipality and one period: every millisecond in exactly one
// class, the outages, the verdict.
//
// Pure, safe from any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "collector/sla/catalogue.h"
#include "collector/sla/overrides.h"
#include "collector/sla/timeline.h"
#include "collector/sla/verdict.h"

namespace oppetid::collector {

enum class TimeClass : uint8_t { kOutside, kExcluded, kUp, kDown, kUnknown };

struct Outage {
  Instant from;  // the true ones by all known facts, also outside the period or the hours
  Instant to;
  int64_t down_ms = 0;  // within the period's class time
  bool operator==(const Outage&) const = default;
};

struct ServiceFigures {
  int64_t period_ms = 0;
  int64_t outside_ms = 0;
  int64_t excluded_ms = 0;
  Measured measured;
  int64_t longest_down_ms = 0;
  Verdict verdict = Verdict::kNotApplicable;
  std::vector<Outage> outages;
};

// The time in which both the municipality's and the entry's membership hold.
Interval MemberTime(const Membership& membership, const Zone& zone);

// What a row is computed from.
struct ServiceInput {
  const Steps<Truth>& state;  // before corrections
  const Overrides::Winners& corrections;
  const Intervals& agreed;   // hours and membership, within `period`
  const Intervals& planned;  // maintenance that excludes
  Interval period;           // to where it is computed
};

// The class of every instant; outside beyond `agreed`.
Steps<TimeClass> Classify(const ServiceInput& input);

// The state after corrections to up and down.
Steps<Truth> CorrectedState(const ServiceInput& input);

// Maximal stretches of down; two with only unknown between them are one. `down_ms` is 0.
std::vector<Outage> OutagesOf(const Steps<Truth>& state);

ServiceFigures Account(const ServiceInput& input, const Service& service);

}  // namespace oppetid::collector
