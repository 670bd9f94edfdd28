// The ticket clocks of the definitions, read literally: unit by unit of time.
#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "tests/support/sla_reference.h"

namespace oppetid::collector::reference {
namespace {

bool KnownTo(const World& world, Instant recorded_at) {
  return !world.as_known_at || recorded_at <= *world.as_known_at;
}

bool IsDone(const std::string& status) { return status == "resolved" || status == "closed"; }

int64_t Rank(std::vector<int64_t> values, int percent) {
  std::sort(values.begin(), values.end());
  size_t rank = 1;
  while (rank * 100 < values.size() * static_cast<size_t>(percent)) ++rank;
  return values[rank - 1];
}

// One ticket as the period sees it.
struct Seen {
  std::vector<TicketEvent> events;
  std::string municipality, kind, priority;
  bool removed = false;

  std::string StatusAt(Instant at) const {
    std::string status;
    for (const TicketEvent& event : events) {
      if (event.at <= at) status = event.status;
    }
    return status;
  }
};

Seen See(const World& world, const Ticket& ticket) {
  Seen seen{{}, ticket.municipality, ticket.kind, ticket.priority, false};
  std::vector<TicketEvent>& events = seen.events;
  for (const TicketEvent& event : ticket.events) {
    if (event.at < world.end && KnownTo(world, event.recorded_at)) events.push_back(event);
  }
  // Insertion sort: stable, and not what the product uses.
  for (size_t i = 1; i < events.size(); ++i) {
    for (size_t j = i; j > 0 && events[j].at < events[j - 1].at; --j) {
      std::swap(events[j], events[j - 1]);
    }
  }
  for (const TicketEvent& event : events) {
    seen.removed = seen.removed || event.removed;
    if (!event.municipality.empty()) seen.municipality = event.municipality;
    if (!event.kind.empty()) seen.kind = event.kind;
    if (!event.priority.empty()) seen.priority = event.priority;
  }
  return seen;
}

struct Row {
  TicketFigures figures;
  std::vector<int64_t> resolution, response;
};

// Counts one ticket into its row.
class Counter {
 public:
  Counter(const World& world, Millis unit, const Seen& seen, const TicketTarget* target)
      : world_(world),
        rules_(world.catalogue.tickets),
        unit_(unit),
        seen_(seen),
        target_(target),
        calendar_(world.catalogue.calendars.at(
            target != nullptr && !target->calendar.empty() ? target->calendar : rules_.calendar)) {}

  void Count(Row& row) {
    const auto& events = seen_.events;
    std::optional<Instant> response, resolved;
    bool reopened = false;
    for (size_t i = 0; i < events.size(); ++i) {
      if (!response && (events[i].responded || events[i].status != "new")) response = events[i].at;
      if (i > 0 && IsDone(events[i - 1].status) && !IsDone(events[i].status)) {
        reopened = reopened || InPeriod(events[i].at);
        resolved.reset();
      }
      if (IsDone(events[i].status) && !resolved) resolved = events[i].at;
    }
    TicketFigures& figures = row.figures;
    if (InPeriod(events.front().at)) ++figures.created;
    if (!resolved) ++figures.backlog;
    if (reopened) ++figures.reopened;
    const auto open = [this](Instant at) { return IsOpen(calendar_, at); };
    const auto clock = [this](Instant at) { return ClockRuns(at); };
    if (resolved && InPeriod(*resolved)) {
      ++figures.resolved;
      row.resolution.push_back(Sum(*resolved, clock));
    }
    if (response && InPeriod(*response)) row.response.push_back(Sum(*response, open));
    if (target_ != nullptr && target_->respond_within) {
      Decide(*target_->respond_within, response, open, figures.response_met,
             figures.response_breached);
    }
    if (target_ != nullptr && target_->resolve_within) {
      Decide(*target_->resolve_within, resolved, clock, figures.resolution_met,
             figures.resolution_breached);
    }
  }

 private:
  bool InPeriod(Instant at) const { return world_.from <= at && at < world_.end; }

  bool ClockRuns(Instant at) const {
    const std::string status = seen_.StatusAt(at);
    return !IsDone(status) && IsOpen(calendar_, at) &&
           std::find(rules_.pause_on.begin(), rules_.pause_on.end(), status) ==
               rules_.pause_on.end();
  }

  int64_t Sum(Instant to, const std::function<bool(Instant)>& runs) const {
    Millis total(0);
    for (Instant at = seen_.events.front().at; at < to; at += unit_) {
      if (runs(at)) total += unit_;
    }
    return total.count();
  }

  // Breached at the last instant at which the clock is still at most the target, if it ever
  // exceeds it.
  void Decide(Millis target, std::optional<Instant> done, const std::function<bool(Instant)>& runs,
              int64_t& met, int64_t& breached) const {
    Millis clock(0);
    for (Instant at = seen_.events.front().at; at < done.value_or(world_.end); at += unit_) {
      if (!runs(at)) continue;
      if (clock == target) {
        if (InPeriod(at)) ++breached;
        return;
      }
      clock += unit_;
    }
    if (done && InPeriod(*done)) ++met;
  }

  const World& world_;
  const TicketRules& rules_;
  Millis unit_;
  const Seen& seen_;
  const TicketTarget* target_;
  const Calendar& calendar_;
};

const TicketTarget* TargetOf(const World& world, const std::string& kind,
                             const std::string& priority) {
  for (const TicketTarget& its : world.catalogue.tickets.targets) {
    if (its.kind == kind && its.priority == priority) return &its;
  }
  return nullptr;
}

TicketFigures Finished(const Row& row, const TicketTarget* target) {
  TicketFigures figures = row.figures;
  if (!row.resolution.empty()) {
    figures.median_resolution_ms = Rank(row.resolution, 50);
    figures.p90_resolution_ms = Rank(row.resolution, 90);
  }
  if (!row.response.empty()) figures.median_response_ms = Rank(row.response, 50);
  const auto attained = [&](int64_t met, int64_t breached) -> std::optional<bool> {
    if (target == nullptr || !target->attain || met + breached == 0) return std::nullopt;
    return met * 100'000'000 >= target->attain->millionths * (met + breached);
  };
  figures.target_met = attained(figures.resolution_met, figures.resolution_breached);
  figures.response_target_met = attained(figures.response_met, figures.response_breached);
  return figures;
}

}  // namespace

TicketReport Tickets(const World& world, Millis unit) {
  std::map<std::tuple<std::string, std::string, std::string>, Row> rows;
  std::map<std::string, SatisfactionFigures> answers;
  for (const auto& [id, ticket] : world.facts.tickets) {
    const Seen seen = See(world, ticket);
    if (seen.events.empty() || seen.removed) continue;
    std::vector<Answer> given = ticket.earlier_answers;
    if (ticket.satisfaction) given.push_back(*ticket.satisfaction);
    std::optional<Answer> answer;
    for (const Answer& its : given) {
      if (!KnownTo(world, its.recorded_at) || its.at >= world.end) continue;
      if (!answer || answer->at < its.at) answer = its;
    }
    if (answer && world.from <= answer->at) {
      SatisfactionFigures& its = answers[seen.municipality];
      its.municipality = seen.municipality;
      its.answers += 1;
      its.sum += answer->score;
      if (answer->score >= 4) its.four_or_more += 1;
    }
    Row& row = rows[{seen.municipality, seen.kind, seen.priority}];
    row.figures.municipality = seen.municipality;
    row.figures.kind = seen.kind;
    row.figures.priority = seen.priority;
    Counter(world, unit, seen, TargetOf(world, seen.kind, seen.priority)).Count(row);
  }
  TicketReport out;
  for (const auto& [key, row] : rows) {
    out.rows.push_back(Finished(row, TargetOf(world, row.figures.kind, row.figures.priority)));
  }
  for (const auto& [name, its] : answers) out.satisfaction.push_back(its);
  return out;
}

}  // namespace oppetid::collector::reference
