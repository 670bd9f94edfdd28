// From spans to the state of a check, and from checks to the state of a service.
//
// Three-valued (Kleene) logic: ok and warning are up, critical is down. Pure; the cost is that of
// sorting the spans. Safe from any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "collector/sla/catalogue.h"
#include "collector/sla/facts.h"
#include "collector/sla/steps.h"

namespace oppetid::collector {

enum class Truth : uint8_t { kUp, kDown, kUnknown };

inline Truth And(Truth a, Truth b) {
  if (a == Truth::kDown || b == Truth::kDown) return Truth::kDown;
  return a == Truth::kUp && b == Truth::kUp ? Truth::kUp : Truth::kUnknown;
}

// At an instant the span with the greatest `from` at or before it decides, until its `to`; of two
// with the same `from` only the worse counts, among equal states the longer.
Steps<Truth> CheckTimeline(std::vector<Span> spans, AsKnownAt as_known_at);

// The name of a check for one municipality.
std::string ForMunicipality(const std::string& check, const std::string& municipality);

// An expression's value over time; `timeline_of` gives that of a check by its full name and must
// return references that live until Evaluate returns.
Steps<Truth> Evaluate(const Expression& expression, const std::string& municipality,
                      const std::function<const Steps<Truth>&(const std::string&)>& timeline_of);

// The states of all services, each computed once. Catalogue and facts must outlive this.
class ServiceStates {
 public:
  ServiceStates(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at);

  // `all` of the service's own expression and of those it depends on, before corrections.
  const Steps<Truth>& Of(const std::string& service, const std::string& municipality);

 private:
  const Steps<Truth>& Check(const std::string& name);
  bool PerMunicipality(const Service& service);

  const Facts& facts_;
  AsKnownAt as_known_at_;
  Steps<Truth> nothing_{Truth::kUnknown};
  std::map<std::string, const Service*> services_;
  std::map<std::string, bool> per_municipality_;
  std::map<std::string, Steps<Truth>> checks_;
  // The municipality is empty where no expression names it: then all share one timeline.
  std::map<std::pair<std::string, std::string>, Steps<Truth>> states_;
};

}  // namespace oppetid::collector
