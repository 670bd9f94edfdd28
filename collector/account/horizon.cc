#include "collector/account/horizon.h"

#include <algorithm>
#include <functional>
#include <set>

namespace oppetid::collector {
namespace {

Truth TruthOf(State state) {
  if (state == State::kUnknown) return Truth::kUnknown;
  return state == State::kCritical ? Truth::kDown : Truth::kUp;
}

// Spans that overlap nowhere and say what is certain; where they say nothing it is unknown.
std::vector<Span> Certain(std::vector<Span> spans, Instant period_start) {
  std::stable_sort(spans.begin(), spans.end(),
                   [](const Span& a, const Span& b) { return a.from < b.from; });
  std::vector<Span> out;
  for (size_t i = 0; i < spans.size();) {
    // Of those with one start, which counts depends on which are known: then nothing is certain
    // but from the last record on.
    size_t next = i;
    Instant recorded_at = spans[i].recorded_at;
    bool alike = true;
    Instant to = spans[i].to;
    for (; next < spans.size() && spans[next].from == spans[i].from; ++next) {
      recorded_at = std::max(recorded_at, spans[next].recorded_at);
      alike = alike && TruthOf(spans[next].state) == TruthOf(spans[i].state);
      to = std::min(to, spans[next].to);
    }
    if (next < spans.size()) to = std::min(to, spans[next].from);
    const Instant from =
        recorded_at <= period_start ? spans[i].from : std::max(spans[i].from, recorded_at);
    const Truth truth = TruthOf(spans[i].state);
    if (alike && truth != Truth::kUnknown && from < to) {
      out.push_back({from, to, from, truth == Truth::kUp ? State::kOk : State::kCritical});
    }
    i = next;
  }
  return out;
}

// Whether, from the period's start on, it always was and always will be known and in force.
bool IsCertain(const Facts& facts, const Correction& correction, Instant period_start) {
  if (correction.recorded_at > period_start) return false;
  return std::none_of(facts.revocations.begin(), facts.revocations.end(),
                      [&](const Revocation& its) { return its.revokes == correction.id; });
}

// Whether it was revoked before anything of the period could be computed.
bool IsGone(const Facts& facts, const Correction& correction, Instant period_start) {
  return std::any_of(facts.revocations.begin(), facts.revocations.end(),
                     [&](const Revocation& its) {
                       return its.revokes == correction.id && its.recorded_at <= period_start;
                     });
}

Facts CertainFacts(const Facts& facts, Instant period_start) {
  Facts out;
  for (const auto& [check, spans] : facts.spans) {
    out.spans[check] = Certain(spans, period_start);
  }
  for (const auto& [id, correction] : facts.corrections) {
    if (IsCertain(facts, correction, period_start)) out.corrections[id] = correction;
  }
  return out;
}

}  // namespace

CertainStates::CertainStates(const Catalogue& catalogue, const Facts& facts, Instant period_start)
    : certain_(CertainFacts(facts, period_start)),
      states_(catalogue, certain_, std::nullopt),
      overrides_(certain_, std::nullopt) {
  for (const auto& [id, correction] : facts.corrections) {
    if (correction.as == Override::kExcluded) continue;  // changes no state
    if (certain_.corrections.contains(id) || IsGone(facts, correction, period_start)) continue;
    uncertain_.push_back(correction);
  }
}

Steps<Truth> CertainStates::Of(const std::string& service, const std::string& municipality) {
  const auto corrections = overrides_.CorrectionsOf(service, municipality);
  Steps<Truth> state = Zip(states_.Of(service, municipality), corrections.state,
                           [](Truth measured, Override correction) {
                             if (correction == Override::kUp) return Truth::kUp;
                             return correction == Override::kDown ? Truth::kDown : measured;
                           });
  Intervals open;
  for (const Correction& its : uncertain_) {
    if (its.services.Covers(service) && its.municipalities.Covers(municipality)) {
      open.push_back(its.when);
    }
  }
  if (open.empty()) return state;
  return Zip(state, Inside(Normalise(std::move(open))),
             [](Truth its, bool uncertain) { return uncertain ? Truth::kUnknown : its; });
}

Instant LastUp(const Steps<Truth>& state, Instant at) {
  const auto& steps = state.steps();
  for (size_t i = steps.size(); i-- > 0;) {
    if (steps[i].from > at || steps[i].value != Truth::kUp) continue;
    return std::min(at, state.EndOf(i) - Millis(1));
  }
  return kBeginning;
}

Instant FirstUp(const Steps<Truth>& state, Instant at) {
  const auto& steps = state.steps();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (state.EndOf(i) <= at || steps[i].value != Truth::kUp) continue;
    return std::max(at, steps[i].from);
  }
  return kForever;
}

std::vector<std::string> ChecksOf(const Catalogue& catalogue, const std::string& service,
                                  const std::string& municipality) {
  std::map<std::string, const Service*> services;
  for (const Service& its : catalogue.services) services[its.id] = &its;
  std::set<std::string> seen, checks;
  std::vector<std::string> next = {service};
  const std::function<void(const Expression&)> visit = [&](const Expression& expression) {
    for (const Expression& part : expression.parts) visit(part);
    if (expression.parts.empty()) checks.insert(ForMunicipality(expression.check, municipality));
  };
  while (!next.empty()) {
    const std::string id = next.back();
    next.pop_back();
    const auto its = services.find(id);
    if (its == services.end() || !seen.insert(id).second) continue;
    visit(its->second->up_when);
    next.insert(next.end(), its->second->depends_on.begin(), its->second->depends_on.end());
  }
  return {checks.begin(), checks.end()};
}

}  // namespace oppetid::collector
