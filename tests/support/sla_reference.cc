#include "tests/support/sla_reference.h"

#include <algorithm>
#include <tuple>

namespace oppetid::collector::reference {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

Instant LastSundayAtOne(std::chrono::year year, std::chrono::month month) {
  const std::chrono::sys_days day = year / month / std::chrono::Sunday[std::chrono::last];
  return day + hours(1);
}

Millis OffsetAt(Instant at) {
  const std::chrono::year year = std::chrono::year_month_day(std::chrono::floor<days>(at)).year();
  const bool summer = at >= LastSundayAtOne(year, std::chrono::March) &&
                      at < LastSundayAtOne(year, std::chrono::October);
  return summer ? hours(2) : hours(1);
}

// The instants that a local time names, the earlier first.
std::vector<Instant> Meanings(LocalTime at) {
  std::vector<Instant> out;
  for (const Millis offset : {Millis(hours(2)), Millis(hours(1))}) {
    const Instant candidate(at.time_since_epoch() - offset);
    if (OffsetAt(candidate) == offset) out.push_back(candidate);
  }
  if (out.empty()) {  // skipped when the clocks went forward
    const std::chrono::year year = std::chrono::year_month_day(std::chrono::floor<days>(at)).year();
    out.push_back(LastSundayAtOne(year, std::chrono::March));
  }
  return out;
}

// Easter by Gauss's rule with its two exceptions.
LocalDate Easter(int year) {
  const int a = year % 19, b = year % 4, c = year % 7, k = year / 100;
  const int p = (13 + 8 * k) / 25, q = k / 4;
  const int m = (15 - p + k - q) % 30, n = (4 + k - q) % 7;
  const int d = (19 * a + m) % 30, e = (2 * b + 4 * c + 6 * d + n) % 7;
  int offset = 22 + d + e;  // of March
  if (d == 29 && e == 6) offset -= 7;
  if (d == 28 && e == 6 && (11 * m + 11) % 30 < 19) offset -= 7;
  return LocalDate(std::chrono::year(year) / 3 / 1) + days(offset - 1);
}

bool Holiday(LocalDate date) {
  const std::chrono::year_month_day day(date);
  for (const auto& [month, number] :
       std::vector<std::pair<unsigned, unsigned>>{{1, 1}, {5, 1}, {5, 17}, {12, 25}, {12, 26}}) {
    if (day.month() == std::chrono::month(month) && day.day() == std::chrono::day(number)) {
      return true;
    }
  }
  for (const int offset : {-3, -2, 0, 1, 39, 49, 50}) {
    if (date == Easter(static_cast<int>(day.year())) + days(offset)) return true;
  }
  return false;
}

bool OpenAtMinute(LocalDate date, const LocalRange& range, Instant at,
                  std::optional<minutes> closing) {
  const minutes to = closing ? std::min(*closing, range.to) : range.to;
  if (range.from >= to) return false;
  return FirstOslo(date + range.from) <= at && at < SecondOslo(date + to);
}

std::optional<minutes> Closing(const Calendar& calendar, LocalDate date) {
  const int year = static_cast<int>(std::chrono::year_month_day(date).year());
  std::vector<minutes> all;
  for (const auto& [name, at] : calendar.short_named) {
    LocalDate day = Easter(year) - days(4);
    if (name == NamedDay::kWhitsunEve) day = Easter(year) + days(48);
    if (name == NamedDay::kChristmasEve) day = LocalDate(std::chrono::year(year) / 12 / 24);
    if (name == NamedDay::kNewYearsEve) day = LocalDate(std::chrono::year(year) / 12 / 31);
    if (day == date) all.push_back(at);
  }
  for (const auto& [day, at] : calendar.short_dates) {
    if (day == date) all.push_back(at);
  }
  if (all.empty()) return std::nullopt;
  return *std::min_element(all.begin(), all.end());
}

bool KnownTo(const World& world, Instant recorded_at) {
  return !world.as_known_at || recorded_at <= *world.as_known_at;
}

Instant Cut(const World& world, Instant at) {
  return world.as_known_at ? std::min(at, *world.as_known_at) : at;
}

bool IsRevoked(const World& world, const std::string& id) {
  return std::any_of(
      world.facts.revocations.begin(), world.facts.revocations.end(),
      [&](const Revocation& its) { return its.revokes == id && KnownTo(world, its.recorded_at); });
}

bool Names(const Scope& scope, const std::string& name) {
  if (scope.all) return true;
  for (const std::string& its : scope.names) {
    if (its == name) return true;
  }
  return false;
}

Truth Value(const World& world, const Expression& expression, const std::string& municipality,
            Instant at) {
  if (expression.parts.empty()) {
    std::string check = expression.check;
    const std::string mark = "{municipality}";
    if (const size_t found = check.find(mark); found != std::string::npos) {
      check = check.substr(0, found) + municipality + check.substr(found + mark.size());
    }
    const State state = CheckState(world, check, at);
    if (state == State::kUnknown) return Truth::kUnknown;
    return state == State::kCritical ? Truth::kDown : Truth::kUp;
  }
  int up = 0, down = 0;
  const int k = static_cast<int>(expression.parts.size());
  for (const Expression& part : expression.parts) {
    const Truth its = Value(world, part, municipality, at);
    if (its == Truth::kUp) ++up;
    if (its == Truth::kDown) ++down;
  }
  if (up >= expression.at_least) return Truth::kUp;
  if (down > k - expression.at_least) return Truth::kDown;
  return Truth::kUnknown;
}

const Service& ServiceNamed(const World& world, const std::string& id) {
  for (const Service& service : world.catalogue.services) {
    if (service.id == id) return service;
  }
  std::abort();
}

// The correction in force for a row; `classes` also looks at those to excluded.
Override InForce(const World& world, const std::string& service, const std::string& municipality,
                 Instant at, bool classes) {
  const Correction* winner = nullptr;
  for (const auto& [id, its] : world.facts.corrections) {
    if (!KnownTo(world, its.recorded_at) || IsRevoked(world, id)) continue;
    if (!Names(its.services, service) || !Names(its.municipalities, municipality)) continue;
    if (at < its.when.from || at >= Cut(world, its.when.to)) continue;
    if (!classes && its.as == Override::kExcluded) continue;
    if (winner == nullptr || its.recorded_at > winner->recorded_at ||
        (its.recorded_at == winner->recorded_at && its.id > winner->id)) {
      winner = &its;
    }
  }
  return winner == nullptr ? Override::kNone : winner->as;
}

bool IsMember(const Membership& membership, Instant at) {
  if (membership.from && at < FirstOslo(*membership.from)) return false;
  return !membership.until || at < FirstOslo(*membership.until);
}

TimeClass ClassAt(const World& world, const Service& service, const ServiceMember& member,
                  Instant at) {
  const std::string& municipality = member.municipality;
  if (!IsOpen(world.catalogue.calendars.at(service.calendar), at)) return TimeClass::kOutside;
  if (!IsMember(member.membership, at)) return TimeClass::kOutside;
  for (const Municipality& its : world.catalogue.municipalities) {
    if (its.id == municipality && !IsMember(its.membership, at)) return TimeClass::kOutside;
  }
  switch (InForce(world, service.id, municipality, at, true)) {
    case Override::kUp:
      return TimeClass::kUp;
    case Override::kDown:
      return TimeClass::kDown;
    case Override::kExcluded:
      return TimeClass::kExcluded;
    case Override::kNone:
      break;
  }
  for (const auto& [id, its] : world.facts.maintenance) {
    if (!KnownTo(world, its.recorded_at) || IsRevoked(world, id)) continue;
    if (!Names(its.services, service.id) || !Names(its.municipalities, municipality)) continue;
    if (its.announced_at > its.when.from - service.notice) continue;
    if (its.when.from <= at && at < its.when.to) return TimeClass::kExcluded;
  }
  switch (ServiceState(world, service.id, municipality, at)) {
    case Truth::kUp:
      return TimeClass::kUp;
    case Truth::kDown:
      return TimeClass::kDown;
    case Truth::kUnknown:
      break;
  }
  return TimeClass::kUnknown;
}

Truth CorrectedAt(const World& world, const Service& service, const std::string& municipality,
                  Instant at) {
  switch (InForce(world, service.id, municipality, at, false)) {
    case Override::kUp:
      return Truth::kUp;
    case Override::kDown:
      return Truth::kDown;
    default:
      return ServiceState(world, service.id, municipality, at);
  }
}

void AddCalendarBounds(const Calendar& calendar, Instant from, Instant to,
                       std::set<Instant>& bounds) {
  for (LocalDate date = std::chrono::floor<days>(LocalTime(from.time_since_epoch())) - days(1);
       date <= std::chrono::floor<days>(LocalTime(to.time_since_epoch())) + days(1);
       date += days(1)) {
    std::vector<LocalRange> ranges = calendar.weekly[std::chrono::weekday(date).iso_encoding() - 1];
    if (const auto it = calendar.extra.find(date); it != calendar.extra.end()) {
      ranges.insert(ranges.end(), it->second.begin(), it->second.end());
    }
    if (const auto closing = Closing(calendar, date)) ranges.push_back({*closing, *closing});
    for (const LocalRange& range : ranges) {
      for (const minutes at : {range.from, range.to}) {
        bounds.insert(FirstOslo(date + at));
        bounds.insert(SecondOslo(date + at));
      }
    }
  }
}

std::set<Instant> BoundsOf(const World& world) {
  std::set<Instant> bounds = {world.from, world.end};
  for (const auto& [check, spans] : world.facts.spans) {
    for (const Span& span : spans) {
      bounds.insert(span.from);
      bounds.insert(Cut(world, span.to));
    }
  }
  const auto add = [&](const auto& facts) {
    for (const auto& [id, its] : facts) {
      bounds.insert(its.when.from);
      bounds.insert(its.when.to);
      bounds.insert(Cut(world, its.when.to));
    }
  };
  add(world.facts.maintenance);
  add(world.facts.corrections);
  const auto add_dates = [&](const Membership& its) {
    if (its.from) bounds.insert(FirstOslo(*its.from));
    if (its.until) bounds.insert(FirstOslo(*its.until));
  };
  for (const Municipality& its : world.catalogue.municipalities) add_dates(its.membership);
  for (const Service& service : world.catalogue.services) {
    for (const ServiceMember& its : service.members) add_dates(its.membership);
  }
  for (const auto& [name, calendar] : world.catalogue.calendars) {
    AddCalendarBounds(calendar, world.from, world.end, bounds);
  }
  return bounds;
}

Verdict Judge(int64_t up, int64_t down, int64_t unknown, Percent target, UnknownMode mode) {
  const int64_t time = up + down + unknown;
  const auto at_least = [&](int64_t part, int64_t whole) {  // small numbers: no overflow
    return part * 100'000'000 >= target.millionths * whole;
  };
  if (time == 0) return Verdict::kNotApplicable;
  const bool measured = mode == UnknownMode::kBounds || mode == UnknownMode::kExclude;
  if (measured && up + down == 0) return Verdict::kNotMeasured;
  if (mode == UnknownMode::kBounds) {
    if (at_least(up, time)) return Verdict::kMet;
    return at_least(up + unknown, time) ? Verdict::kUndetermined : Verdict::kBreached;
  }
  const bool met = mode == UnknownMode::kExclude ? at_least(up, up + down)
                   : mode == UnknownMode::kDown  ? at_least(up, time)
                                                 : at_least(up + unknown, time);
  return met ? Verdict::kMet : Verdict::kBreached;
}

}  // namespace

Instant FirstOslo(LocalTime at) { return Meanings(at).front(); }
Instant SecondOslo(LocalTime at) { return Meanings(at).back(); }

bool IsOpen(const Calendar& calendar, Instant at) {
  if (calendar.always) return true;
  const LocalDate today = std::chrono::floor<days>(LocalTime(at.time_since_epoch() + OffsetAt(at)));
  for (LocalDate date = today - days(1); date <= today + days(1); date += days(1)) {
    const bool no_hours =
        (calendar.norwegian_holidays && Holiday(date)) || calendar.closed.contains(date);
    if (!no_hours) {
      for (const LocalRange& range :
           calendar.weekly[std::chrono::weekday(date).iso_encoding() - 1]) {
        if (OpenAtMinute(date, range, at, Closing(calendar, date))) return true;
      }
    }
    if (const auto it = calendar.extra.find(date); it != calendar.extra.end()) {
      for (const LocalRange& range : it->second) {
        if (OpenAtMinute(date, range, at, std::nullopt)) return true;
      }
    }
  }
  return false;
}

State CheckState(const World& world, const std::string& check, Instant at) {
  const auto it = world.facts.spans.find(check);
  if (it == world.facts.spans.end()) return State::kUnknown;
  const auto badness = [](State state) {
    return state == State::kCritical  ? 3
           : state == State::kWarning ? 2
           : state == State::kOk      ? 1
                                      : 0;
  };
  const Span* decides = nullptr;
  for (const Span& span : it->second) {
    if (!KnownTo(world, span.recorded_at) || span.from > at) continue;
    if (world.as_known_at && span.from >= *world.as_known_at) continue;
    if (decides == nullptr || span.from > decides->from ||
        (span.from == decides->from && (badness(span.state) > badness(decides->state) ||
                                        (span.state == decides->state && span.to > decides->to)))) {
      decides = &span;
    }
  }
  if (decides == nullptr || at >= Cut(world, decides->to)) return State::kUnknown;
  return decides->state;
}

Truth ServiceState(const World& world, const std::string& service, const std::string& municipality,
                   Instant at) {
  const Service& its = ServiceNamed(world, service);
  std::vector<Truth> parts = {Value(world, its.up_when, municipality, at)};
  for (const std::string& below : its.depends_on) {
    parts.push_back(ServiceState(world, below, municipality, at));
  }
  bool all_up = true;
  for (const Truth part : parts) {
    if (part == Truth::kDown) return Truth::kDown;
    all_up = all_up && part == Truth::kUp;
  }
  return all_up ? Truth::kUp : Truth::kUnknown;
}

ServiceFigures Account(const World& world, const Service& service, const ServiceMember& member) {
  const std::set<Instant> bounds = BoundsOf(world);
  ServiceFigures out;
  out.period_ms = (world.end - world.from).count();
  int64_t stretch_of_down = 0;
  std::vector<Outage> outages;
  bool in_outage = false;
  for (auto it = bounds.begin(); std::next(it) != bounds.end(); ++it) {
    const Instant at = *it, next = *std::next(it);
    const Truth state = CorrectedAt(world, service, member.municipality, at);
    if (state == Truth::kUp) in_outage = false;
    if (state == Truth::kDown) {
      if (!in_outage) outages.push_back({at, next, 0});
      in_outage = true;
      outages.back().to = next;
    }
    if (at < world.from || next > world.end) continue;
    const int64_t length = (next - at).count();
    const TimeClass its = ClassAt(world, service, member, at);
    if (its == TimeClass::kOutside) out.outside_ms += length;
    if (its == TimeClass::kExcluded) out.excluded_ms += length;
    if (its == TimeClass::kUp) out.measured.up_ms += length;
    if (its == TimeClass::kDown) out.measured.down_ms += length;
    if (its == TimeClass::kUnknown) out.measured.unknown_ms += length;
    stretch_of_down = its == TimeClass::kDown ? stretch_of_down + length : 0;
    out.longest_down_ms = std::max(out.longest_down_ms, stretch_of_down);
    const bool counts = its != TimeClass::kOutside && its != TimeClass::kExcluded;
    if (state == Truth::kDown && counts) outages.back().down_ms += length;
  }
  for (const Outage& outage : outages) {
    if (outage.down_ms > 0) out.outages.push_back(outage);
  }
  out.verdict = Judge(out.measured.up_ms, out.measured.down_ms, out.measured.unknown_ms,
                      service.target, service.unknown);
  if (service.longest_down && Millis(out.longest_down_ms) > *service.longest_down) {
    out.verdict = Verdict::kBreached;
  }
  return out;
}

BackupFigures Backup(const World& world, const BackupJob& job, bool restore_test) {
  const Millis objective = restore_test ? *job.restore_test_every : job.rpo;
  std::vector<BackupRun> runs;
  if (const auto it = world.facts.backup_runs.find(job.job); it != world.facts.backup_runs.end()) {
    runs = it->second;
  }
  std::erase_if(runs, [&](const BackupRun& run) {
    return run.restore_test != restore_test || !run.success || !KnownTo(world, run.recorded_at);
  });
  std::set<Instant> bounds = {world.from, world.end};
  for (const BackupRun& run : runs) {
    for (const Instant at : {run.end, run.start + objective}) {
      if (world.from < at && at < world.end) bounds.insert(at);
    }
  }
  BackupFigures out;
  for (auto it = bounds.begin(); std::next(it) != bounds.end(); ++it) {
    std::optional<Instant> newest;
    for (const BackupRun& run : runs) {
      if (run.end <= *it && (!newest || run.start > *newest)) newest = run.start;
    }
    const int64_t length = (*std::next(it) - *it).count();
    (!newest ? out.unknown_ms : *it - *newest < objective ? out.within_ms : out.over_ms) += length;
  }
  out.verdict = Judge(out.within_ms, out.over_ms, out.unknown_ms, job.target, UnknownMode::kBounds);
  return out;
}

}  // namespace oppetid::collector::reference
