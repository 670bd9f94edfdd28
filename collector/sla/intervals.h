// Half-open intervals of instants, and lists of them.
//
// A list is normalised when it is sorted, without empty, overlapping or touching members; every
// function here but Normalise expects and returns such lists, at linear cost. Pure, safe from any
// thread.
#pragma once

#include <vector>

#include "common/instant.h"

namespace oppetid::collector {

// Before and after every instant that a file can name (years 1970 to 9999), with room to add
// any duration without overflow.
inline constexpr Instant kBeginning = FromUnixMillis(INT64_MIN / 4);
inline constexpr Instant kForever = FromUnixMillis(INT64_MAX / 4);

// [from, to); empty when from >= to.
struct Interval {
  Instant from;
  Instant to;
  bool operator==(const Interval&) const = default;
};

using Intervals = std::vector<Interval>;

Intervals Normalise(Intervals intervals);
Intervals Union(const Intervals& a, const Intervals& b);
Intervals Intersect(const Intervals& a, const Intervals& b);
// What is in `a` and not in `b`.
Intervals Subtract(const Intervals& a, const Intervals& b);
Millis Length(const Intervals& intervals);

}  // namespace oppetid::collector
