#include "agent/lost_runs.h"

#include <algorithm>
#include <iterator>

namespace oppetid::agent {
namespace {

// Of all checks together so many, then two each: 50 kB, which fit where a segment of 256 kB went.
constexpr size_t kMaxOfCheck = 16;
constexpr size_t kMaxBeforeTwoEach = 500;

}  // namespace

void LostRuns::Note(const std::string& check, Instant from, Instant to) {
  auto& ranges = by_check_[check];
  const auto same = std::find_if(ranges.begin(), ranges.end(),
                                 [&](const auto& known) { return known.first == from; });
  if (same != ranges.end()) {
    same->second = std::max(same->second, to);
    return;
  }
  ranges.emplace_back(from, to);
  std::sort(ranges.begin(), ranges.end());
  ++size_;
  if (ranges.size() <= 2) return;
  if (ranges.size() <= kMaxOfCheck && size_ <= kMaxBeforeTwoEach) return;
  const auto rest = std::prev(ranges.end(), 2);
  rest->second = std::max(rest->second, ranges.back().second);
  ranges.pop_back();
  --size_;
}

std::vector<LostTime> LostRuns::All() const {
  std::vector<LostTime> all;
  all.reserve(size_);
  for (const auto& [check, ranges] : by_check_) {
    for (const auto& [from, to] : ranges) all.push_back({check, from, to});
  }
  return all;
}

void LostRuns::clear() {
  by_check_.clear();
  size_ = 0;
}

}  // namespace oppetid::agent
