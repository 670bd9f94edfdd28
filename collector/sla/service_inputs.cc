#include "collector/sla/service_inputs.h"

namespace oppetid::collector {

ServiceInputs::ServiceInputs(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                             Interval period)
    : catalogue_(catalogue),
      period_(period),
      states_(catalogue, facts, as_known_at),
      overrides_(facts, as_known_at) {
  for (const Municipality& municipality : catalogue.municipalities) {
    members_[municipality.id] = MemberTime(municipality.membership, catalogue.zone);
  }
}

void ServiceInputs::With(const Service& service, const ServiceMember& member,
                         const std::function<void(const ServiceInput&)>& use) {
  const Interval entry = MemberTime(member.membership, catalogue_.zone);
  const Intervals agreed = Intersect(Intersect(Hours(service.calendar), Normalise({entry})),
                                     Normalise({members_.at(member.municipality)}));
  const auto corrections = overrides_.CorrectionsOf(service.id, member.municipality);
  const Intervals planned = overrides_.PlannedOf(service.id, member.municipality, service.notice);
  use({states_.Of(service.id, member.municipality), corrections, agreed, planned, period_});
}

const Intervals& ServiceInputs::Hours(const std::string& calendar) {
  if (const auto it = hours_.find(calendar); it != hours_.end()) return it->second;
  return hours_
      .emplace(calendar, OpenIntervals(catalogue_.calendars.at(calendar), catalogue_.zone, period_))
      .first->second;
}

}  // namespace oppetid::collector
