#include "collector/sla/availability.h"

#include <algorithm>

namespace oppetid::collector {
namespace {

TimeClass ClassOf(Truth state) {
  if (state == Truth::kUp) return TimeClass::kUp;
  return state == Truth::kDown ? TimeClass::kDown : TimeClass::kUnknown;
}

// The outages with a millisecond of down time in the period, and how much. `down` is the class
// time; each piece of it lies within one outage, since its class is its state.
std::vector<Outage> OutagesIn(const Intervals& down, std::vector<Outage> outages) {
  size_t i = 0;
  for (const Interval& piece : down) {
    while (i < outages.size() && outages[i].to <= piece.from) ++i;
    if (i == outages.size()) break;
    outages[i].down_ms += (piece.to - piece.from).count();
  }
  std::erase_if(outages, [](const Outage& outage) { return outage.down_ms == 0; });
  return outages;
}

}  // namespace

Interval MemberTime(const Membership& membership, const Zone& zone) {
  return {membership.from ? zone.First(*membership.from) : kBeginning,
          membership.until ? zone.First(*membership.until) : kForever};
}

Steps<Truth> CorrectedState(const ServiceInput& input) {
  return Zip(input.state, input.corrections.state, [](Truth measured, Override correction) {
    if (correction == Override::kUp) return Truth::kUp;
    return correction == Override::kDown ? Truth::kDown : measured;
  });
}

Steps<TimeClass> Classify(const ServiceInput& input) {
  const auto maintained = Zip(input.state, Inside(input.planned), [](Truth state, bool planned) {
    return planned ? TimeClass::kExcluded : ClassOf(state);
  });
  const auto corrected = Zip(maintained, input.corrections.any, [](TimeClass its, Override by) {
    switch (by) {
      case Override::kUp:
        return TimeClass::kUp;
      case Override::kDown:
        return TimeClass::kDown;
      case Override::kExcluded:
        return TimeClass::kExcluded;
      case Override::kNone:
        break;
    }
    return its;
  });
  return Zip(corrected, Inside(input.agreed),
             [](TimeClass its, bool agreed) { return agreed ? its : TimeClass::kOutside; });
}

std::vector<Outage> OutagesOf(const Steps<Truth>& state) {
  std::vector<Outage> outages;
  bool bridged = false;  // nothing but unknown since the last stretch of down
  const auto& steps = state.steps();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].value == Truth::kUp) bridged = false;
    if (steps[i].value != Truth::kDown) continue;
    if (bridged) {
      outages.back().to = state.EndOf(i);
    } else {
      outages.push_back({steps[i].from, state.EndOf(i), 0});
    }
    bridged = true;
  }
  return outages;
}

ServiceFigures Account(const ServiceInput& input, const Service& service) {
  ServiceFigures figures;
  figures.period_ms = (input.period.to - input.period.from).count();
  Intervals down;
  ForEachWithin(Classify(input), input.period, [&](Interval stretch, TimeClass its) {
    const int64_t length = (stretch.to - stretch.from).count();
    switch (its) {
      case TimeClass::kOutside:
        figures.outside_ms += length;
        break;
      case TimeClass::kExcluded:
        figures.excluded_ms += length;
        break;
      case TimeClass::kUp:
        figures.measured.up_ms += length;
        break;
      case TimeClass::kUnknown:
        figures.measured.unknown_ms += length;
        break;
      case TimeClass::kDown:
        figures.measured.down_ms += length;
        figures.longest_down_ms = std::max(figures.longest_down_ms, length);
        down.push_back(stretch);
        break;
    }
  });
  if (!down.empty()) figures.outages = OutagesIn(down, OutagesOf(CorrectedState(input)));
  figures.verdict = VerdictOf(figures.measured, service.target, service.unknown);
  if (service.longest_down && figures.longest_down_ms > service.longest_down->count()) {
    figures.verdict = Verdict::kBreached;
  }
  return figures;
}

}  // namespace oppetid::collector
