// What each service's row of a period is computed from: hours, membership, state, decisions.
//
// Each calendar, state and membership is computed once for all rows. Pure; catalogue and facts must
// outlive this. One thread.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "collector/sla/availability.h"

namespace oppetid::collector {

class ServiceInputs {
 public:
  ServiceInputs(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                Interval period);

  // Calls `use` with the input of one row, which lives as long as the call.
  void With(const Service& service, const ServiceMember& member,
            const std::function<void(const ServiceInput&)>& use);

  const Overrides& overrides() const { return overrides_; }

 private:
  const Intervals& Hours(const std::string& calendar);

  const Catalogue& catalogue_;
  Interval period_;
  ServiceStates states_;
  Overrides overrides_;
  std::map<std::string, Interval> members_;
  std::map<std::string, Intervals> hours_;
};

}  // namespace oppetid::collector
