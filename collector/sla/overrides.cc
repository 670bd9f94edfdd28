#include "collector/sla/overrides.h"

#include <algorithm>
#include <queue>

namespace oppetid::collector {

Overrides::Overrides(const Facts& facts, AsKnownAt as_known_at) {
  for (const Revocation& revocation : facts.revocations) {
    if (Known(revocation.recorded_at, as_known_at)) revoked_.push_back(revocation.revokes);
  }
  std::sort(revoked_.begin(), revoked_.end());
  for (const auto& [id, correction] : facts.corrections) {
    if (!Known(correction.recorded_at, as_known_at) || Revoked(id)) continue;
    Interval when = correction.when;
    if (as_known_at) when.to = std::min(when.to, *as_known_at);
    if (when.from < when.to) corrections_.push_back({&correction, when, 0});
  }
  std::sort(corrections_.begin(), corrections_.end(), [](const Ranked& a, const Ranked& b) {
    if (a.correction->recorded_at != b.correction->recorded_at) {
      return a.correction->recorded_at < b.correction->recorded_at;
    }
    return a.correction->id < b.correction->id;
  });
  for (size_t i = 0; i < corrections_.size(); ++i) corrections_[i].rank = i;
  std::sort(corrections_.begin(), corrections_.end(),
            [](const Ranked& a, const Ranked& b) { return a.when.from < b.when.from; });
  for (const auto& [id, window] : facts.maintenance) {
    if (Known(window.recorded_at, as_known_at) && !Revoked(id)) maintenance_.push_back(&window);
  }
}

bool Overrides::Revoked(const std::string& id) const {
  return std::binary_search(revoked_.begin(), revoked_.end(), id);
}

// A sweep over the starts and ends; the heap's top is the winner once those that have ended are
// gone from it.
Steps<Override> Overrides::Win(const std::vector<Ranked>& candidates) const {
  std::vector<Instant> changes;
  for (const Ranked& candidate : candidates) {
    changes.push_back(candidate.when.from);
    changes.push_back(candidate.when.to);
  }
  std::sort(changes.begin(), changes.end());
  changes.erase(std::unique(changes.begin(), changes.end()), changes.end());
  const auto lower = [](const Ranked* a, const Ranked* b) { return a->rank < b->rank; };
  std::priority_queue<const Ranked*, std::vector<const Ranked*>, decltype(lower)> open(lower);
  Steps<Override> out(Override::kNone);
  size_t next = 0;
  for (const Instant at : changes) {
    while (next < candidates.size() && candidates[next].when.from <= at) {
      open.push(&candidates[next++]);
    }
    while (!open.empty() && open.top()->when.to <= at) open.pop();
    out.Append(at, open.empty() ? Override::kNone : open.top()->correction->as);
  }
  return out;
}

Overrides::Winners Overrides::CorrectionsOf(const std::string& service,
                                            const std::string& municipality) const {
  std::vector<Ranked> any, state;
  for (const Ranked& ranked : corrections_) {
    const Correction& correction = *ranked.correction;
    if (!correction.services.Covers(service)) continue;
    if (!correction.municipalities.Covers(municipality)) continue;
    any.push_back(ranked);
    if (correction.as != Override::kExcluded) state.push_back(ranked);
  }
  return {Win(any), Win(state)};
}

Intervals Overrides::PlannedOf(const std::string& service, const std::string& municipality,
                               Millis notice) const {
  Intervals planned;
  for (const Maintenance* window : maintenance_) {
    if (!window->services.Covers(service)) continue;
    if (!window->municipalities.Covers(municipality)) continue;
    if (window->announced_at <= window->when.from - notice) planned.push_back(window->when);
  }
  return Normalise(std::move(planned));
}

}  // namespace oppetid::collector
