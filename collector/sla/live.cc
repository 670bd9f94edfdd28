#include "collector/sla/live.h"

#include <algorithm>

#include "collector/sla/service_inputs.h"

namespace oppetid::collector {
namespace {

constexpr auto kThirtyDays = std::chrono::hours(30 * 24);

Tally TallyOf(const Steps<TimeClass>& classes, Interval range) {
  Tally tally;
  ForEachWithin(classes, range, [&](Interval stretch, TimeClass its) {
    tally.Add((stretch.to - stretch.from).count(), its);
  });
  return tally;
}

template <class T>
T ValueAt(const Steps<T>& steps, Instant at) {
  T value = steps.steps().front().value;
  ForEachWithin(steps, {at, at + Millis(1)}, [&](Interval, T its) { value = its; });
  return value;
}

// The spans that decide from `at` on: those that begin later, and of the earlier ones only those
// with the greatest beginning, because what is overtaken never comes back.
std::vector<Span> TailOf(std::vector<Span> spans, Instant at) {
  Instant newest = kBeginning;
  for (const Span& span : spans) {
    if (span.from <= at) newest = std::max(newest, span.from);
  }
  std::erase_if(spans, [&](const Span& span) { return span.from < newest; });
  return spans;
}

LiveState StateOf(TimeClass its, Truth corrected) {
  if (its == TimeClass::kExcluded) return LiveState::kExcluded;
  if (corrected == Truth::kUp) return LiveState::kUp;
  return corrected == Truth::kDown ? LiveState::kDown : LiveState::kUnknown;
}

void ForEachCheck(const Expression& expression, const std::function<void(const std::string&)>& f) {
  if (expression.parts.empty()) f(expression.check);
  for (const Expression& part : expression.parts) ForEachCheck(part, f);
}

// Any window was announced later than this after its beginning.
constexpr Millis kHoweverLate = -std::chrono::hours(24 * 36'500);

}  // namespace

std::array<Instant, kLiveWindows.size()> WindowStarts(Instant now, const Zone& zone) {
  const std::chrono::year_month_day today{zone.DateOf(now)};
  const unsigned month = static_cast<unsigned>(today.month());
  const auto first_of = [&](unsigned its) {
    return zone.First(
        std::chrono::local_days(today.year() / std::chrono::month(its) / std::chrono::day(1)));
  };
  return {std::chrono::floor<std::chrono::hours>(now) - kThirtyDays, first_of(month),
          first_of((month - 1) / 3 * 3 + 1)};
}

void Tally::Add(int64_t ms, TimeClass its) {
  Tally later;
  later.all_down_ = its == TimeClass::kDown;
  switch (its) {
    case TimeClass::kOutside:
      later.outside_ms_ = ms;
      break;
    case TimeClass::kExcluded:
      later.excluded_ms_ = ms;
      break;
    case TimeClass::kUp:
      later.measured_.up_ms = ms;
      break;
    case TimeClass::kUnknown:
      later.measured_.unknown_ms = ms;
      break;
    case TimeClass::kDown:
      later.measured_.down_ms = later.longest_ = later.head_ = later.tail_ = ms;
      break;
  }
  Join(later);
}

void Tally::Join(const Tally& later) {
  longest_ = std::max({longest_, later.longest_, tail_ + later.head_});
  if (all_down_) head_ += later.head_;
  tail_ = later.all_down_ ? tail_ + later.tail_ : later.tail_;
  all_down_ = all_down_ && later.all_down_;
  measured_.up_ms += later.measured_.up_ms;
  measured_.down_ms += later.measured_.down_ms;
  measured_.unknown_ms += later.measured_.unknown_ms;
  excluded_ms_ += later.excluded_ms_;
  outside_ms_ += later.outside_ms_;
}

Settled Settle(std::shared_ptr<const Catalogue> catalogue, Facts decisions, SpansByCheck spans,
               Instant at, Instant now) {
  Settled settled;
  settled.catalogue = std::move(catalogue);
  settled.at = at;
  settled.starts = WindowStarts(now, settled.catalogue->zone);
  const Interval whole{
      std::min(at, *std::min_element(settled.starts.begin(), settled.starts.end())), at};
  Facts facts = decisions;
  facts.spans = std::move(spans);
  ServiceInputs inputs(*settled.catalogue, facts, std::nullopt, whole);
  for (const Service& service : settled.catalogue->services) {
    for (const ServiceMember& member : service.members) {
      auto& row = settled.rows.emplace_back();
      inputs.With(service, member, [&](const ServiceInput& input) {
        const auto classes = Classify(input);
        for (size_t i = 0; i < row.size(); ++i) row[i] = TallyOf(classes, {settled.starts[i], at});
      });
    }
  }
  settled.decisions = std::move(decisions);
  for (auto& [check, its] : facts.spans) settled.tail[check] = TailOf(std::move(its), at);
  return settled;
}

bool LeavesSettled(const Settled& settled, const std::string& check, const Span& span) {
  if (span.from > settled.at) return true;
  // The very span that decides at the seam, grown: it held until then already.
  const auto known = settled.tail.find(check);
  if (known == settled.tail.end()) return false;
  return std::any_of(known->second.begin(), known->second.end(), [&](const Span& its) {
    return its.from == span.from && its.state == span.state &&
           (its.to >= settled.at || span.to <= its.to);
  });
}

std::vector<LiveRow> LiveFigures(const Settled& settled, SpansByCheck tail, Instant now) {
  Facts facts = settled.decisions;
  facts.spans = std::move(tail);
  // A millisecond more, for the state at `now` itself.
  ServiceInputs inputs(*settled.catalogue, facts, std::nullopt, {settled.at, now + Millis(1)});
  std::vector<LiveRow> rows;
  size_t index = 0;
  for (const Service& service : settled.catalogue->services) {
    for (const ServiceMember& member : service.members) {
      LiveRow row{&service, member.municipality, LiveState::kUnknown, settled.rows.at(index++), {}};
      inputs.With(service, member, [&](const ServiceInput& input) {
        const auto classes = Classify(input);
        row.state = StateOf(ValueAt(classes, now), ValueAt(CorrectedState(input), now));
        for (size_t i = 0; i < row.windows.size(); ++i) {
          row.windows[i].Join(TallyOf(classes, {std::max(settled.at, settled.starts[i]), now}));
          row.verdicts[i] = VerdictOf(row.windows[i].measured(), service.target, service.unknown);
          if (service.longest_down &&
              row.windows[i].longest_down_ms() > service.longest_down->count()) {
            row.verdicts[i] = Verdict::kBreached;
          }
        }
      });
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::map<std::string, bool> ChecksInMaintenance(const Catalogue& catalogue, const Facts& decisions,
                                                Instant now) {
  const Overrides overrides(decisions, std::nullopt);
  std::map<std::string, bool> checks;
  for (const Service& service : catalogue.services) {
    for (const ServiceMember& member : service.members) {
      const bool held =
          ValueAt(Inside(overrides.PlannedOf(service.id, member.municipality, kHoweverLate)), now);
      ForEachCheck(service.up_when, [&](const std::string& check) {
        const auto [its, first] = checks.emplace(ForMunicipality(check, member.municipality), held);
        if (!first) its->second = its->second && held;
      });
    }
  }
  return checks;
}

}  // namespace oppetid::collector
