#include "collector/sla/calendar.h"

#include <algorithm>
#include <optional>

namespace oppetid::collector {
namespace {

using std::chrono::days;
using std::chrono::minutes;

// The closing time of a short day: of two that name it, the earlier.
std::optional<minutes> ClosingTime(const Calendar& calendar, LocalDate date) {
  if (calendar.short_named.empty() && calendar.short_dates.empty()) return std::nullopt;
  std::optional<minutes> closing;
  const auto consider = [&](minutes at) { closing = closing ? std::min(*closing, at) : at; };
  const std::chrono::year_month_day day(date);
  const LocalDate easter = EasterSunday(day.year());
  for (const auto& [name, at] : calendar.short_named) {
    const bool today =
        (name == NamedDay::kEasterWednesday && date == easter - days(4)) ||
        (name == NamedDay::kWhitsunEve && date == easter + days(48)) ||
        (name == NamedDay::kChristmasEve && day == day.year() / std::chrono::December / 24) ||
        (name == NamedDay::kNewYearsEve && day == day.year() / std::chrono::December / 31);
    if (today) consider(at);
  }
  if (const auto it = calendar.short_dates.find(date); it != calendar.short_dates.end()) {
    consider(it->second);
  }
  return closing;
}

}  // namespace

// The anonymous Gregorian computus (Meeus/Jones/Butcher).
LocalDate EasterSunday(std::chrono::year year) {
  const int y = static_cast<int>(year);
  const int a = y % 19, b = y / 100, c = y % 100;
  const int d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
  const int h = (19 * a + b - d - g + 15) % 30;
  const int i = c / 4, k = c % 4;
  const int l = (32 + 2 * e + 2 * i - h - k) % 7;
  const int m = (a + 11 * h + 22 * l) / 451;
  const int n = h + l - 7 * m + 114;
  return LocalDate(year / (n / 31) / (n % 31 + 1));
}

bool IsNorwegianHoliday(LocalDate date) {
  const std::chrono::year_month_day day(date);
  const auto month = static_cast<unsigned>(day.month()), number = static_cast<unsigned>(day.day());
  switch (month * 100 + number) {
    case 101:
    case 501:
    case 517:
    case 1225:
    case 1226:
      return true;
    default:
      break;
  }
  switch ((date - EasterSunday(day.year())).count()) {
    case -3:
    case -2:
    case 0:
    case 1:
    case 39:
    case 49:
    case 50:
      return true;
    default:
      return false;
  }
}

std::vector<LocalRange> HoursOn(const Calendar& calendar, LocalDate date) {
  if (calendar.always) return {{minutes(0), days(1)}};
  std::vector<LocalRange> hours;
  const bool holiday = calendar.norwegian_holidays && IsNorwegianHoliday(date);
  if (!holiday && !calendar.closed.contains(date)) {
    hours = calendar.weekly[std::chrono::weekday(date).iso_encoding() - 1];
    if (const auto closing = ClosingTime(calendar, date)) {
      for (LocalRange& range : hours) range.to = std::min(range.to, *closing);
      std::erase_if(hours, [](const LocalRange& range) { return range.from >= range.to; });
    }
  }
  if (const auto it = calendar.extra.find(date); it != calendar.extra.end()) {
    hours.insert(hours.end(), it->second.begin(), it->second.end());
  }
  return hours;
}

Intervals OpenIntervals(const Calendar& calendar, const Zone& zone, Interval range) {
  if (range.from >= range.to) return {};
  if (calendar.always) return {range};
  Intervals open;
  // A local day and the UTC day of the same name lie less than a day apart.
  const LocalDate last = zone.DateOf(range.to) + days(1);
  for (LocalDate date = zone.DateOf(range.from) - days(1); date <= last; date += days(1)) {
    for (const LocalRange& hours : HoursOn(calendar, date)) {
      open.push_back({zone.First(date + hours.from), zone.Second(date + hours.to)});
    }
  }
  return Intersect(Normalise(std::move(open)), {range});
}

}  // namespace oppetid::collector
