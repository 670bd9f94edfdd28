#include "collector/sla/tickets.h"

#include <algorithm>
#include <tuple>

#include "collector/sla/verdict.h"

namespace oppetid::collector {
namespace {

bool IsResolved(const std::string& status) { return status == "resolved" || status == "closed"; }

// A ticket's events before the period's end, as known then, in order; empty where the ticket
// counts nowhere: not created yet, or removed.
struct Seen {
  std::vector<const TicketEvent*> events;
  std::string municipality, kind, priority;
};

Seen See(const Ticket& ticket, AsKnownAt as_known_at, Instant end) {
  Seen seen{{}, ticket.municipality, ticket.kind, ticket.priority};
  for (const TicketEvent& event : ticket.events) {
    if (event.at < end && Known(event.recorded_at, as_known_at)) seen.events.push_back(&event);
  }
  std::stable_sort(seen.events.begin(), seen.events.end(),
                   [](const TicketEvent* a, const TicketEvent* b) { return a->at < b->at; });
  for (const TicketEvent* event : seen.events) {
    if (event->removed) return {};
    if (!event->municipality.empty()) seen.municipality = event->municipality;
    if (!event->kind.empty()) seen.kind = event->kind;
    if (!event->priority.empty()) seen.priority = event->priority;
  }
  return seen;
}

// The newest answer before the period's end, as known then; nullptr where there is none.
const Answer* AnswerOf(const Ticket& ticket, AsKnownAt as_known_at, Instant end) {
  const auto counts = [&](const Answer& its) {
    return its.at < end && Known(its.recorded_at, as_known_at);
  };
  const Answer* newest = nullptr;
  if (ticket.satisfaction && counts(*ticket.satisfaction)) newest = &*ticket.satisfaction;
  for (const Answer& its : ticket.earlier_answers) {
    if (counts(its) && (newest == nullptr || newest->at < its.at)) newest = &its;
  }
  return newest;
}

// The clock over `running` stretches against a target: breached at the start of the first
// millisecond beyond it, else met at `done`.
Decided Decide(const Intervals& running, const OpenTime& open, Millis target,
               std::optional<Instant> done) {
  Millis rest = target;
  for (const Interval& stretch : running) {
    const Millis ran = open.Between(stretch.from, stretch.to);
    if (ran > rest) return {Decision::kBreached, open.After(stretch.from, rest)};
    rest -= ran;
  }
  if (done) return {Decision::kMet, *done};
  return {};
}

std::optional<Instant> FinalResolution(const std::vector<const TicketEvent*>& events) {
  std::optional<Instant> final_resolution;
  for (auto it = events.rbegin(); it != events.rend() && IsResolved((*it)->status); ++it) {
    final_resolution = (*it)->at;
  }
  return final_resolution;
}

// Where the status lets the clock run, up to `end`.
Intervals Running(const std::vector<const TicketEvent*>& events,
                  const std::vector<std::string>& pause_on, Instant end) {
  Intervals running;
  for (size_t i = 0; i < events.size(); ++i) {
    const std::string& status = events[i]->status;
    if (IsResolved(status)) continue;
    if (std::find(pause_on.begin(), pause_on.end(), status) != pause_on.end()) continue;
    running.push_back({events[i]->at, i + 1 < events.size() ? events[i + 1]->at : end});
  }
  return running;
}

int64_t NearestRank(std::vector<int64_t>& sorted, int64_t tenths) {
  const auto n = static_cast<int64_t>(sorted.size());
  return sorted[static_cast<size_t>((tenths * n + 9) / 10 - 1)];
}

// The calendars over the whole life of all tickets, each computed once.
class Calendars {
 public:
  Calendars(const Catalogue& catalogue, Interval range) : catalogue_(catalogue), range_(range) {}
  const OpenTime& Of(const std::string& name) {
    if (const auto it = open_.find(name); it != open_.end()) return it->second;
    const Calendar& calendar = catalogue_.calendars.at(name);
    return open_.emplace(name, OpenTime(OpenIntervals(calendar, catalogue_.zone, range_)))
        .first->second;
  }

 private:
  const Catalogue& catalogue_;
  Interval range_;
  std::map<std::string, OpenTime> open_;
};

TicketCase CaseOf(Seen seen, const TicketTarget* target, const TicketRules& rules,
                  const OpenTime& open, Instant end) {
  TicketCase out{seen.municipality,
                 seen.kind,
                 seen.priority,
                 seen.events.front()->at,
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {}};
  for (size_t i = 0; i < seen.events.size(); ++i) {
    const TicketEvent& event = *seen.events[i];
    if (!out.response && (event.responded || event.status != "new")) out.response = event.at;
    if (i > 0 && IsResolved(seen.events[i - 1]->status) && !IsResolved(event.status)) {
      out.reopenings.push_back(event.at);
    }
  }
  out.final_resolution = FinalResolution(seen.events);
  const Intervals waiting = {{out.created, out.response.value_or(end)}};
  const Intervals running = Running(seen.events, rules.pause_on, end);
  if (out.response) out.response_time = open.Between(out.created, *out.response);
  if (out.final_resolution) {
    out.resolution_time = Millis(0);
    for (const Interval& stretch : running) {
      *out.resolution_time += open.Between(stretch.from, stretch.to);
    }
  }
  if (target != nullptr && target->respond_within) {
    out.response_decided = Decide(waiting, open, *target->respond_within, out.response);
  }
  if (target != nullptr && target->resolve_within) {
    out.resolution_decided = Decide(running, open, *target->resolve_within, out.final_resolution);
  }
  return out;
}

struct Row {
  TicketFigures figures;
  std::vector<int64_t> resolution_times, response_times;
};

void Count(const TicketCase& its, Interval period, Row& row) {
  const auto within = [&](Instant at) { return period.from <= at && at < period.to; };
  const auto decided = [&](const Decided& decision, int64_t& met, int64_t& breached) {
    if (decision.decision == Decision::kUndecided || !within(decision.at)) return;
    ++(decision.decision == Decision::kMet ? met : breached);
  };
  TicketFigures& figures = row.figures;
  if (within(its.created)) ++figures.created;
  if (!its.final_resolution) ++figures.backlog;
  if (std::any_of(its.reopenings.begin(), its.reopenings.end(), within)) ++figures.reopened;
  if (its.final_resolution && within(*its.final_resolution)) {
    ++figures.resolved;
    row.resolution_times.push_back(its.resolution_time->count());
  }
  if (its.response && within(*its.response)) {
    row.response_times.push_back(its.response_time->count());
  }
  decided(its.response_decided, figures.response_met, figures.response_breached);
  decided(its.resolution_decided, figures.resolution_met, figures.resolution_breached);
}

std::optional<bool> Attained(int64_t met, int64_t breached, const TicketTarget* target) {
  if (target == nullptr || !target->attain || met + breached == 0) return std::nullopt;
  return AtLeast(met, met + breached, *target->attain);
}

TicketFigures Finish(Row row, const TicketTarget* target) {
  TicketFigures& figures = row.figures;
  std::sort(row.resolution_times.begin(), row.resolution_times.end());
  std::sort(row.response_times.begin(), row.response_times.end());
  if (!row.resolution_times.empty()) {
    figures.median_resolution_ms = NearestRank(row.resolution_times, 5);
    figures.p90_resolution_ms = NearestRank(row.resolution_times, 9);
  }
  if (!row.response_times.empty()) figures.median_response_ms = NearestRank(row.response_times, 5);
  figures.target_met = Attained(figures.resolution_met, figures.resolution_breached, target);
  figures.response_target_met = Attained(figures.response_met, figures.response_breached, target);
  return std::move(figures);
}

using Targets = std::map<std::pair<std::string, std::string>, const TicketTarget*>;

Targets TargetsOf(const Catalogue& catalogue) {
  Targets targets;
  for (const TicketTarget& target : catalogue.tickets.targets) {
    targets[{target.kind, target.priority}] = &target;
  }
  return targets;
}

const TicketTarget* TargetOf(const Targets& targets, const std::string& kind,
                             const std::string& priority) {
  const auto it = targets.find({kind, priority});
  return it == targets.end() ? nullptr : it->second;
}

}  // namespace

OpenTime::OpenTime(Intervals open) : open_(std::move(open)) {
  Millis sum(0);
  for (const Interval& interval : open_) {
    before_.push_back(sum);
    sum += interval.to - interval.from;
  }
}

Millis OpenTime::Before(Instant at) const {
  const auto next =
      std::upper_bound(open_.begin(), open_.end(), at,
                       [](Instant its, const Interval& interval) { return its < interval.from; });
  if (next == open_.begin()) return Millis(0);
  const auto i = static_cast<size_t>(next - open_.begin()) - 1;
  return before_[i] + (std::min(at, open_[i].to) - open_[i].from);
}

Millis OpenTime::Between(Instant from, Instant to) const {
  return from < to ? Before(to) - Before(from) : Millis(0);
}

Instant OpenTime::After(Instant from, Millis elapsed) const {
  const Millis wanted = Before(from) + elapsed;
  // The interval in which the sum passes `wanted`: the last that starts with at most that much.
  const auto next = std::upper_bound(before_.begin(), before_.end(), wanted);
  if (next == before_.begin()) return kForever;
  const auto i = static_cast<size_t>(next - before_.begin()) - 1;
  const Instant at = open_[i].from + (wanted - before_[i]);
  return at < open_[i].to ? at : kForever;
}

void ForEachTicketCase(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                       Instant end,
                       const std::function<void(const Ticket&, const TicketCase&)>& visit) {
  const Targets targets = TargetsOf(catalogue);
  Interval life{end, end};
  for (const auto& [id, ticket] : facts.tickets) {
    for (const TicketEvent& event : ticket.events) life.from = std::min(life.from, event.at);
  }
  Calendars calendars(catalogue, life);
  for (const auto& [id, ticket] : facts.tickets) {
    Seen seen = See(ticket, as_known_at, end);
    // Removed, or nothing has happened to it yet: it counts nowhere, nor does its answer.
    if (seen.events.empty()) continue;
    const TicketTarget* target = TargetOf(targets, seen.kind, seen.priority);
    const bool own = target != nullptr && !target->calendar.empty();
    const OpenTime& open = calendars.Of(own ? target->calendar : catalogue.tickets.calendar);
    visit(ticket, CaseOf(std::move(seen), target, catalogue.tickets, open, end));
  }
}

TicketReport AccountTickets(const Catalogue& catalogue, const Facts& facts, AsKnownAt as_known_at,
                            Interval period) {
  std::map<std::tuple<std::string, std::string, std::string>, Row> rows;
  std::map<std::string, SatisfactionFigures> satisfaction;
  ForEachTicketCase(catalogue, facts, as_known_at, period.to,
                    [&](const Ticket& ticket, const TicketCase& its) {
                      const Answer* answer = AnswerOf(ticket, as_known_at, period.to);
                      if (answer != nullptr && period.from <= answer->at) {
                        SatisfactionFigures& answers = satisfaction[its.municipality];
                        answers.municipality = its.municipality;
                        ++answers.answers;
                        answers.sum += answer->score;
                        answers.four_or_more += answer->score >= 4 ? 1 : 0;
                      }
                      Row& row = rows[{its.municipality, its.kind, its.priority}];
                      std::tie(row.figures.municipality, row.figures.kind, row.figures.priority) =
                          std::tie(its.municipality, its.kind, its.priority);
                      Count(its, period, row);
                    });
  const Targets targets = TargetsOf(catalogue);
  TicketReport report;
  for (auto& [key, row] : rows) {
    const TicketTarget* target = TargetOf(targets, row.figures.kind, row.figures.priority);
    report.rows.push_back(Finish(std::move(row), target));
  }
  for (auto& [municipality, its] : satisfaction) report.satisfaction.push_back(its);
  return report;
}

}  // namespace oppetid::collector
