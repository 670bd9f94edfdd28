// A value for every instant, changing at finitely many of them.
//
// Everything the SLA arithmetic knows about time is such a function: the state of a check, of a
// service, the correction in force, the class of time. They are combined by Zip, which walks both
// once. A value type, safe to read from any thread.
#pragma once

#include <algorithm>
#include <vector>

#include "collector/sla/intervals.h"

namespace oppetid::collector {

template <class T>
class Steps {
 public:
  struct Step {
    Instant from;  // holds until the next step's
    T value;
  };

  // `initial` everywhere.
  explicit Steps(T initial) : steps_{{kBeginning, initial}} {}

  // From `from` on it is `value`; calls come in the order of time, the last at an instant counts.
  void Append(Instant from, T value) {
    if (steps_.back().from == from && steps_.size() > 1) steps_.pop_back();
    if (steps_.back().from == from) {
      steps_.back().value = value;
    } else if (steps_.back().value != value) {
      steps_.push_back({from, value});
    }
  }

  const std::vector<Step>& steps() const { return steps_; }
  Instant EndOf(size_t index) const {
    return index + 1 < steps_.size() ? steps_[index + 1].from : kForever;
  }

 private:
  std::vector<Step> steps_;  // never empty, the first at kBeginning, neighbours differ
};

// f(a, b) at every instant.
template <class A, class B, class F>
auto Zip(const Steps<A>& a, const Steps<B>& b, F f) {
  const auto& left = a.steps();
  const auto& right = b.steps();
  Steps<decltype(f(left[0].value, right[0].value))> out(f(left[0].value, right[0].value));
  size_t i = 0, j = 0;
  while (i + 1 < left.size() || j + 1 < right.size()) {
    const Instant next = std::min(a.EndOf(i), b.EndOf(j));
    if (a.EndOf(i) == next) ++i;
    if (b.EndOf(j) == next) ++j;
    out.Append(next, f(left[i].value, right[j].value));
  }
  return out;
}

// True inside the (normalised) intervals.
inline Steps<bool> Inside(const Intervals& intervals) {
  Steps<bool> out(false);
  for (const Interval& interval : intervals) {
    out.Append(interval.from, true);
    out.Append(interval.to, false);
  }
  return out;
}

// Calls f(Interval, value) for each stretch that lies in `range`, cut to it.
template <class T, class F>
void ForEachWithin(const Steps<T>& steps, Interval range, F f) {
  const auto& all = steps.steps();
  auto first = std::upper_bound(all.begin(), all.end(), range.from,
                                [](Instant at, const auto& step) { return at < step.from; });
  if (first != all.begin()) --first;
  for (auto i = static_cast<size_t>(first - all.begin()); i < all.size(); ++i) {
    if (all[i].from >= range.to) break;
    const Interval stretch{std::max(all[i].from, range.from), std::min(steps.EndOf(i), range.to)};
    if (stretch.from < stretch.to) f(stretch, all[i].value);
  }
}

}  // namespace oppetid::collector
