#include "collector/sla/zone.h"

#include <date/tz.h>

#include <array>
#include <cstdio>

namespace oppetid::collector {
namespace {

std::optional<int> Digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

LocalDate FirstOfMonth(int year, int month) {
  const std::chrono::year_month first =
      std::chrono::year(year) / std::chrono::January + std::chrono::months(month - 1);
  return LocalDate(first / 1);
}

// The library reads a zone's table, which ends with 2037, and not the rule behind it. A later year
// is looked up as the one before that end with the same days of the week: the distance to it.
Millis ToCoveredYear(Millis since_epoch) {
  constexpr std::chrono::year kLast{2037};
  const LocalDate day = std::chrono::floor<std::chrono::days>(LocalTime(since_epoch));
  const std::chrono::year year = std::chrono::year_month_day(day).year();
  if (year <= kLast) return Millis(0);
  const LocalDate first(year / 1 / 1);
  for (std::chrono::year alike = kLast;; --alike) {  // 28 years hold all fourteen layouts
    const LocalDate its(alike / 1 / 1);
    if (alike.is_leap() == year.is_leap() &&
        std::chrono::weekday(its) == std::chrono::weekday(first)) {
      return first - its;
    }
  }
}

Instant ToUtc(const date::time_zone& zone, LocalTime at, bool second) {
  const Millis later = ToCoveredYear(at.time_since_epoch());
  const date::local_time<Millis> local(at.time_since_epoch() - later);
  const date::local_info info = zone.get_info(local);
  Millis utc;
  if (info.result == date::local_info::nonexistent) {
    utc = info.first.end.time_since_epoch();
  } else {
    const auto& side =
        second && info.result == date::local_info::ambiguous ? info.second : info.first;
    utc = local.time_since_epoch() - side.offset;
  }
  return Instant(utc + later);
}

}  // namespace

std::optional<Zone> Zone::Find(const std::string& name) {
  try {
    const date::time_zone* zone = date::locate_zone(name);
    // The zone's file is read at its first use: now, while a failure can still be told.
    zone->get_info(date::local_days{date::year(2026) / 1 / 1});
    return Zone(zone);
  } catch (const std::exception&) {
    return std::nullopt;  // no such zone; the caller knows where the name stands
  }
}

Instant Zone::First(LocalTime at) const { return ToUtc(*zone_, at, false); }
Instant Zone::Second(LocalTime at) const { return ToUtc(*zone_, at, true); }

LocalTime Zone::LocalOf(Instant at) const {
  const Millis later = ToCoveredYear(at.time_since_epoch());
  const date::sys_time<Millis> utc(at.time_since_epoch() - later);
  return LocalTime(zone_->to_local(utc).time_since_epoch() + later);
}

LocalDate Zone::DateOf(Instant at) const {
  return std::chrono::floor<std::chrono::days>(LocalOf(at));
}

std::optional<LocalDate> ParseDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = Digits(text.substr(0, 4));
  const auto month = Digits(text.substr(5, 2));
  const auto day = Digits(text.substr(8, 2));
  if (!year || !month || !day || *year < 1970) return std::nullopt;
  const auto date = std::chrono::year(*year) / *month / *day;
  if (!date.ok()) return std::nullopt;
  return LocalDate(date);
}

std::string FormatDate(LocalDate date) {
  const std::chrono::year_month_day day(date);
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return buffer.data();
}

std::optional<Period> ParsePeriod(std::string_view text, const Zone& zone) {
  std::optional<LocalDate> from, to;
  if (const size_t dots = text.find(".."); dots != std::string_view::npos) {
    from = ParseDate(text.substr(0, dots));
    to = ParseDate(text.substr(dots + 2));
  } else if (text.size() >= 4) {
    const auto year = Digits(text.substr(0, 4));
    const std::string_view rest = text.substr(4);
    if (!year || *year < 1970 || *year > 9998) return std::nullopt;
    int first = 0, months = 0;
    if (rest.empty()) {
      first = 1, months = 12;
    } else if (rest.size() == 3 && rest.starts_with("-Q") && rest[2] >= '1' && rest[2] <= '4') {
      first = (rest[2] - '1') * 3 + 1, months = 3;
    } else if (const auto month = Digits(rest.substr(1));
               rest.size() == 3 && rest[0] == '-' && month && *month >= 1 && *month <= 12) {
      first = *month, months = 1;
    } else {
      return std::nullopt;
    }
    from = FirstOfMonth(*year, first);
    to = FirstOfMonth(*year, first + months);
  }
  if (!from || !to || *from > *to) return std::nullopt;
  return Period{std::string(text), zone.First(*from), zone.First(*to)};
}

}  // namespace oppetid::collector
