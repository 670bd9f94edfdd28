#include "tests/support/sla_random.h"

#include <array>

namespace oppetid::collector {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr minutes kUnit(15);
constexpr int kDays = 5;

// The days around which the calendars do something: both clock changes, Easter, Christmas, a leap
// day, an ordinary week.
LocalDate SomeStart(int choice) {
  using std::chrono::year;
  switch (choice) {
    case 0:
      return LocalDate(year(2026) / 3 / 27);
    case 1:
      return LocalDate(year(2026) / 10 / 23);
    case 2:
      return LocalDate(year(2025) / 4 / 15);
    case 3:
      return LocalDate(year(2025) / 12 / 22);
    case 4:
      return LocalDate(year(2028) / 2 / 27);
    default:
      return LocalDate(year(2026) / 6 / 8);
  }
}

}  // namespace

RandomWorld::RandomWorld(uint32_t seed)
    : catalogue(*Zone::Find("Europe/Oslo")), random_(seed), first_(SomeStart(Below(6))) {
  const LocalDate last = first_ + days(OneIn(20) ? 0 : 1 + Below(kDays));
  request.period = {"random", catalogue.zone.First(first_), catalogue.zone.First(last)};
  if (OneIn(2)) request.as_known_at = SomeInstant();
  MakeCalendars();
  MakeServices();
  MakeHistory();
  MakeTickets();
}

Instant RandomWorld::SomeInstant() {
  return catalogue.zone.First(first_ - days(2)) + Below((kDays + 4) * 24 * 4) * kUnit;
}

Calendar RandomWorld::SomeCalendar() {
  Calendar calendar;
  const auto range = [&] {
    const int from = Below(95);
    return LocalRange{from * kUnit, (from + 1 + Below(96 - from)) * kUnit};
  };
  for (auto& day : calendar.weekly) {
    for (int i = Below(3); i > 0; --i) day.push_back(range());
  }
  calendar.weekly[0].push_back(range());  // a calendar opens at some time
  calendar.norwegian_holidays = OneIn(2);
  if (OneIn(2)) {
    calendar.short_named[static_cast<NamedDay>(Below(4))] = Below(97) * kUnit;
  }
  if (OneIn(2)) calendar.short_dates[first_ + days(Below(kDays))] = Below(97) * kUnit;
  if (OneIn(2)) calendar.closed.insert(first_ + days(Below(kDays)));
  if (OneIn(2)) calendar.extra[first_ + days(Below(kDays))] = {range(), range()};
  return calendar;
}

void RandomWorld::MakeCalendars() {
  catalogue.calendars["always"].always = true;
  catalogue.calendars["a"] = SomeCalendar();
  catalogue.calendars["b"] = SomeCalendar();
}

Membership RandomWorld::SomeMembership() {
  Membership out;
  if (OneIn(6)) out.from = first_ + days(Below(kDays));
  if (OneIn(6)) out.until = out.from.value_or(first_) + days(Below(kDays));
  return out;
}

Expression RandomWorld::SomeExpression(int depth) {
  Expression out;
  if (depth == 0 || OneIn(3)) {
    out.check = OneIn(3) ? "h/m-{municipality}" : SomeCheck();
    return out;
  }
  const int parts = 1 + Below(3);
  for (int i = 0; i < parts; ++i) out.parts.push_back(SomeExpression(depth - 1));
  out.at_least = 1 + Below(parts);
  return out;
}

void RandomWorld::MakeServices() {
  for (const char* id : {"m0", "m1"}) {
    catalogue.municipalities.push_back({id, id, "nb", SomeMembership(), ""});
  }
  const std::array<const char*, 3> calendars = {"always", "a", "b"};
  for (int i = 0; i < 3; ++i) {
    Service service;
    service.id = "s" + std::to_string(i);
    service.names["nb"] = service.id;
    for (const char* id : {"m1", "m0"}) service.members.push_back({id, SomeMembership()});
    service.calendar = calendars[static_cast<size_t>(Below(3))];
    service.target.millionths = 1 + Below(100'000'000);
    if (OneIn(4)) service.target.millionths = 100'000'000;
    service.unknown = static_cast<UnknownMode>(Below(4));
    if (OneIn(3)) service.longest_down = Below(60) * kUnit;
    service.notice = Below(3) * hours(12);
    service.up_when = SomeExpression(2);
    for (int j = 0; j < i; ++j) {
      if (OneIn(4)) service.depends_on.push_back("s" + std::to_string(j));
    }
    catalogue.services.push_back(std::move(service));
  }
  BackupJob job{"j", {"m0"}, (1 + Below(200)) * kUnit, {1 + Below(100'000'000)}, std::nullopt};
  if (OneIn(2)) job.restore_test_every = (1 + Below(300)) * kUnit;
  catalogue.backups.push_back(std::move(job));
}

Scope RandomWorld::SomeScope(const std::string& prefix) {
  if (OneIn(3)) return {true, {}};
  return {false, {prefix + std::to_string(Below(3))}};
}

Span RandomWorld::SomeSpan() {
  Span span;
  span.from = SomeInstant() + Millis(OneIn(4) ? Below(1000) : 0);
  span.to = span.from + (1 + Below(OneIn(3) ? 400 : 20)) * kUnit;
  span.recorded_at = OneIn(2) ? span.from : SomeInstant();
  span.state = static_cast<State>(Below(4));
  return span;
}

Correction RandomWorld::SomeCorrection(const std::string& id) {
  Correction its;
  its.id = id;
  its.services = SomeScope("s");
  its.municipalities = SomeScope("m");
  its.when.from = SomeInstant();
  its.when.to = its.when.from + Below(100) * kUnit;
  its.as = static_cast<Override>(1 + Below(3));
  its.recorded_at = OneIn(3) ? request.period.from : SomeInstant();
  return its;
}

void RandomWorld::MakeHistory() {
  for (int i = Below(60); i > 0; --i) {
    const int check = Below(6);
    const std::string name =
        check < 4 ? "h/c" + std::to_string(check) : "h/m-m" + std::to_string(check - 4);
    facts.spans[name].push_back(SomeSpan());
  }
  for (int i = Below(6); i > 0; --i) {
    const std::string id = "c" + std::to_string(i);
    facts.corrections[id] = SomeCorrection(id);
  }
  for (int i = Below(4); i > 0; --i) {
    Maintenance its;
    its.id = "w" + std::to_string(i);
    its.services = SomeScope("s");
    its.municipalities = SomeScope("m");
    its.when.from = SomeInstant();
    its.when.to = its.when.from + Below(60) * kUnit;
    its.announced_at = its.when.from - Below(3) * hours(12) + (Below(3) - 1) * kUnit;
    its.recorded_at = OneIn(2) ? its.announced_at : SomeInstant();
    facts.maintenance[its.id] = its;
  }
  for (int i = Below(3); i > 0; --i) {
    facts.revocations.push_back(
        {(OneIn(2) ? "c" : "w") + std::to_string(1 + Below(4)), SomeInstant(), "", ""});
  }
  for (int i = Below(8); i > 0; --i) {
    BackupRun run;
    run.start = SomeInstant();
    run.end = run.start + Below(40) * kUnit;
    run.recorded_at = OneIn(2) ? run.end : SomeInstant();
    run.restore_test = OneIn(2);
    run.success = !OneIn(4);
    facts.backup_runs["j"].push_back(run);
  }
}

void RandomWorld::MakeTickets() {
  const std::array<const char*, 6> statuses = {"new",      "open",   "waiting_customer",
                                               "resolved", "closed", "waiting_supplier"};
  const std::array<const char*, 3> calendars = {"always", "a", ""};
  TicketRules& rules = catalogue.tickets;
  rules.calendar = OneIn(2) ? "b" : "always";
  if (OneIn(3)) rules.pause_on = {"new", "waiting_supplier"};
  for (const char* priority : {"P1", "P2"}) {
    TicketTarget target;
    target.kind = "incident";
    target.priority = priority;
    if (!OneIn(4)) target.respond_within = (1 + Below(30)) * kUnit;
    if (!OneIn(4)) target.resolve_within = (1 + Below(60)) * kUnit;
    if (!OneIn(4)) target.attain = Percent{1 + Below(100'000'000)};
    target.calendar = calendars[static_cast<size_t>(Below(3))];
    rules.targets.push_back(target);
  }
  for (int i = Below(6); i > 0; --i) {
    Ticket ticket;
    ticket.id = "t" + std::to_string(i);
    ticket.municipality = "m" + std::to_string(Below(2));
    ticket.kind = OneIn(5) ? "request" : "incident";
    ticket.priority = "P" + std::to_string(1 + Below(3));
    Instant at = SomeInstant();
    for (int n = 1 + Below(7); n > 0; --n) {
      TicketEvent event;
      event.at = OneIn(6) ? SomeInstant() : at;
      event.status = statuses[static_cast<size_t>(Below(6))];
      event.responded = OneIn(5);
      event.removed = OneIn(40);
      if (OneIn(8)) event.priority = "P" + std::to_string(1 + Below(3));
      if (OneIn(12)) event.municipality = "m" + std::to_string(Below(2));
      if (OneIn(12)) event.kind = "incident";
      event.recorded_at = OneIn(3) ? SomeInstant() : event.at;
      ticket.events.push_back(event);
      at += Below(60) * kUnit;
    }
    if (OneIn(2)) {
      const Instant answered = SomeInstant();
      ticket.satisfaction = Answer{1 + Below(5), answered, OneIn(3) ? SomeInstant() : answered};
      for (Instant before = answered; OneIn(3);) {
        before -= (1 + Below(60)) * kUnit;
        ticket.earlier_answers.push_back({1 + Below(5), before, OneIn(3) ? SomeInstant() : before});
      }
    }
    facts.tickets[ticket.id] = std::move(ticket);
  }
}

}  // namespace oppetid::collector
