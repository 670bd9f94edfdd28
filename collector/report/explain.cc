#include "collector/report/explain.h"

#include <algorithm>

#include "collector/sla/availability.h"
#include "collector/sla/overrides.h"
#include "collector/sla/timeline.h"

namespace oppetid::collector {
namespace {

template <class T>
T ValueAt(const Steps<T>& steps, Instant at) {
  T value = steps.steps().front().value;
  for (const auto& step : steps.steps()) {
    if (step.from <= at) value = step.value;
  }
  return value;
}

const char* Words(Truth truth) {
  if (truth == Truth::kUp) return "up";
  return truth == Truth::kDown ? "down" : "unknown";
}

const char* Words(Override as) {
  if (as == Override::kUp) return "up";
  return as == Override::kDown ? "down" : "excluded";
}

const char* Words(TimeClass its) {
  switch (its) {
    case TimeClass::kOutside:
      return "outside";
    case TimeClass::kExcluded:
      return "excluded";
    case TimeClass::kUp:
      return "up";
    case TimeClass::kDown:
      return "down";
    case TimeClass::kUnknown:
      break;
  }
  return "unknown";
}

std::string Range(Interval when) {
  const auto end = [](Instant at) { return FormatInstant(at); };
  return "from " + end(when.from) + " to " + end(when.to);
}

class Explanation {
 public:
  Explanation(const Catalogue& catalogue, const Facts& facts, const Service& service,
              const ServiceMember& member, Instant at)
      : catalogue_(catalogue),
        facts_(facts),
        service_(service),
        member_(member),
        at_(at),
        now_{at, at + Millis(1)},
        states_(catalogue, facts, std::nullopt),
        overrides_(facts, std::nullopt) {}

  std::string Write() {
    const Intervals hours =
        OpenIntervals(catalogue_.calendars.at(service_.calendar), catalogue_.zone, now_);
    Intervals agreed = hours;
    const auto municipality =
        std::find_if(catalogue_.municipalities.begin(), catalogue_.municipalities.end(),
                     [&](const Municipality& its) { return its.id == member_.municipality; });
    for (const Membership* its : {&member_.membership, &municipality->membership}) {
      agreed = Intersect(agreed, Normalise({MemberTime(*its, catalogue_.zone)}));
    }
    const auto& state = states_.Of(service_.id, member_.municipality);
    const auto corrections = overrides_.CorrectionsOf(service_.id, member_.municipality);
    const Intervals planned =
        overrides_.PlannedOf(service_.id, member_.municipality, service_.notice);
    const ServiceInput input{state, corrections, agreed, planned, now_};
    const TimeClass its = ValueAt(Classify(input), at_);
    out_ = service_.id + " for " + member_.municipality + " at " + FormatInstant(at_) +
           " counts as " + Words(its) + ".\n";
    if (its == TimeClass::kOutside) {
      Line(hours.empty() ? "It is outside the hours of calendar " + service_.calendar + "."
                         : "The membership dates leave it out.");
    }
    Corrections(its == TimeClass::kOutside);
    Windows();
    Outages(input);
    Line("Measured: " + std::string(Words(ValueAt(state, at_))) + ", because");
    Measured(service_, 1);
    return std::move(out_);
  }

 private:
  void Line(const std::string& text, int depth = 0) {
    out_ += std::string(static_cast<size_t>(2 * depth), ' ') + text + "\n";
  }

  template <class Fact>
  bool Covers(const Fact& fact) const {
    return fact.when.from <= at_ && at_ < fact.when.to && fact.services.Covers(service_.id) &&
           fact.municipalities.Covers(member_.municipality);
  }

  std::string RevokedWords(const std::string& id) const {
    for (const Revocation& its : facts_.revocations) {
      if (its.revokes == id) {
        return " at " + FormatInstant(its.recorded_at) + " by " + its.by + ": " + its.reason;
      }
    }
    return "";
  }

  void Corrections(bool outside) {
    const Correction* winner = nullptr;
    const auto wins = [](const Correction& a, const Correction& b) {
      return a.recorded_at != b.recorded_at ? a.recorded_at > b.recorded_at : a.id > b.id;
    };
    for (const auto& [id, its] : facts_.corrections) {
      if (!Covers(its) || overrides_.Revoked(id)) continue;
      if (winner == nullptr || wins(its, *winner)) winner = &its;
    }
    for (const auto& [id, its] : facts_.corrections) {
      if (!Covers(its)) continue;
      const std::string what = "Correction " + id + " to " + Words(its.as) + ", " +
                               Range(its.when) + ", by " + its.by + ", recorded " +
                               FormatInstant(its.recorded_at) + ": " + its.reason;
      if (overrides_.Revoked(id)) {
        Line(what + " -- revoked" + RevokedWords(id) + ".");
      } else if (&its != winner) {
        Line(what + " -- " + winner->id + " was recorded later and wins.");
      } else {
        Line(what + (outside ? " -- but it moves no time into the hours." : " -- this decides."));
      }
    }
  }

  void Windows() {
    for (const auto& [id, its] : facts_.maintenance) {
      if (!Covers(its)) continue;
      const bool planned = its.announced_at <= its.when.from - service_.notice;
      std::string text = "Maintenance " + id + ", " + Range(its.when) + ", announced " +
                         FormatInstant(its.announced_at) + ": " + its.reason;
      if (overrides_.Revoked(id)) {
        text += " -- cancelled" + RevokedWords(id) + ".";
      } else if (!planned) {
        text += " -- announced less than " + FormatDuration(service_.notice) +
                " ahead, so it excludes nothing.";
      } else {
        text += " -- planned: it excludes the time unless a correction says otherwise.";
      }
      Line(text);
    }
  }

  void Outages(const ServiceInput& input) {
    for (const Outage& its : OutagesOf(CorrectedState(input))) {
      if (its.from <= at_ && at_ < its.to) {
        Line("It is part of the outage " + Range({its.from, its.to}) + ".");
      }
    }
  }

  // What a service is up by, and those it depends on.
  void Measured(const Service& service, int depth) {
    Part(service.up_when, depth);
    for (const std::string& below : service.depends_on) {
      Line("depends on " + below + ": " +
               Words(ValueAt(states_.Of(below, member_.municipality), at_)),
           depth);
      const auto its = std::find_if(catalogue_.services.begin(), catalogue_.services.end(),
                                    [&](const Service& other) { return other.id == below; });
      Measured(*its, depth + 1);
    }
  }

  void Part(const Expression& expression, int depth) {
    if (expression.parts.empty()) {
      const std::string check = ForMunicipality(expression.check, member_.municipality);
      Line(check + ": " + Check(check), depth);
      return;
    }
    const auto timeline = [this](const std::string& check) -> const Steps<Truth>& {
      const auto spans = facts_.spans.find(check);
      if (spans == facts_.spans.end()) return nothing_;
      return timelines_.try_emplace(check, CheckTimeline(spans->second, std::nullopt))
          .first->second;
    };
    const auto k = static_cast<int>(expression.parts.size());
    Line(std::string(expression.at_least == k ? "all"
                     : expression.at_least == 1
                         ? "any"
                         : "at least " + std::to_string(expression.at_least)) +
             " of " + std::to_string(k) + ": " +
             Words(ValueAt(Evaluate(expression, member_.municipality, timeline), at_)),
         depth);
    for (const Expression& part : expression.parts) Part(part, depth + 1);
  }

  // The span that decides a check: the one with the greatest start, of these the worst.
  std::string Check(const std::string& check) {
    const auto found = facts_.spans.find(check);
    if (found == facts_.spans.end()) return "unknown; nothing is known of it around then";
    const Span* decides = nullptr;
    std::vector<Span> same;
    for (const Span& its : found->second) {
      if (its.from > at_ || (decides != nullptr && its.from < decides->from)) continue;
      if (decides == nullptr || its.from > decides->from) same.clear();
      decides = &its;
      same.push_back(its);
    }
    if (decides == nullptr) return "unknown; what is known of it began later";
    // As the account chooses among those with one start.
    const Instant from = decides->from;
    std::sort(same.begin(), same.end(), [](const Span& a, const Span& b) {
      const auto rank = [](State state) { return state == State::kUnknown ? -1 : int(state); };
      return rank(a.state) != rank(b.state) ? rank(a.state) > rank(b.state) : a.to > b.to;
    });
    const Span& its = same.front();
    const std::string range =
        Range({its.from, its.to}) + ", recorded " + FormatInstant(its.recorded_at);
    if (its.to <= at_) {
      return "unknown; the newest by then was " + std::string(StateName(its.state)) + " " + range;
    }
    const auto gap = facts_.gaps.find({check, from});
    if (its.state == State::kUnknown && gap != facts_.gaps.end()) {
      return "unknown, a gap " + range + ": " + gap->second;
    }
    return std::string(StateName(its.state)) + " " + range;
  }

  const Catalogue& catalogue_;
  const Facts& facts_;
  const Service& service_;
  const ServiceMember& member_;
  Instant at_;
  Interval now_;
  ServiceStates states_;
  Overrides overrides_;
  Steps<Truth> nothing_{Truth::kUnknown};
  std::map<std::string, Steps<Truth>> timelines_;
  std::string out_;
};

}  // namespace

std::string Explain(const Catalogue& catalogue, const Facts& facts, const Service& service,
                    const ServiceMember& member, Instant at) {
  return Explanation(catalogue, facts, service, member, at).Write();
}

}  // namespace oppetid::collector
