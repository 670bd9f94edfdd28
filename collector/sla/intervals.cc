#include "collector/sla/intervals.h"

#include <algorithm>

namespace oppetid::collector {

Intervals Normalise(Intervals intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.from < b.from; });
  Intervals out;
  for (const Interval& next : intervals) {
    if (next.from >= next.to) continue;
    if (!out.empty() && next.from <= out.back().to) {
      out.back().to = std::max(out.back().to, next.to);
    } else {
      out.push_back(next);
    }
  }
  return out;
}

Intervals Union(const Intervals& a, const Intervals& b) {
  Intervals both = a;
  both.insert(both.end(), b.begin(), b.end());
  return Normalise(std::move(both));
}

Intervals Intersect(const Intervals& a, const Intervals& b) {
  Intervals out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Interval common{std::max(a[i].from, b[j].from), std::min(a[i].to, b[j].to)};
    if (common.from < common.to) out.push_back(common);
    if (a[i].to < b[j].to) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

Intervals Subtract(const Intervals& a, const Intervals& b) {
  Intervals out;
  size_t j = 0;
  for (Interval rest : a) {
    while (j < b.size() && b[j].to <= rest.from) ++j;
    for (size_t k = j; k < b.size() && b[k].from < rest.to; ++k) {
      if (rest.from < b[k].from) out.push_back({rest.from, b[k].from});
      rest.from = b[k].to;
    }
    if (rest.from < rest.to) out.push_back(rest);
  }
  return out;
}

Millis Length(const Intervals& intervals) {
  Millis total(0);
  for (const Interval& interval : intervals) total += interval.to - interval.from;
  return total;
}

}  // namespace oppetid::collector
