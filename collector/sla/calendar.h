// When an agreement's hours are: weekly hours in local time, Norwegian holidays, short days,
// closed days and extra hours.
//
// Pure, safe from any thread.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "collector/sla/intervals.h"
#include "collector/sla/zone.h"

namespace oppetid::collector {

// Of one local day, in minutes since its midnight: 0 <= from < to <= 1440.
struct LocalRange {
  std::chrono::minutes from;
  std::chrono::minutes to;
  bool operator==(const LocalRange&) const = default;
};

// Days whose date the year decides.
enum class NamedDay { kEasterWednesday, kWhitsunEve, kChristmasEve, kNewYearsEve };
inline constexpr std::array<std::string_view, 4> kNamedDays = {"easter_wednesday", "whitsun_eve",
                                                               "christmas_eve", "new_years_eve"};

struct Calendar {
  bool always = false;                            // then nothing below counts
  std::array<std::vector<LocalRange>, 7> weekly;  // Monday first; ranges may overlap
  bool norwegian_holidays = false;
  std::map<NamedDay, std::chrono::minutes> short_named;  // closing times
  std::map<LocalDate, std::chrono::minutes> short_dates;
  std::set<LocalDate> closed;
  std::map<LocalDate, std::vector<LocalRange>> extra;
};

LocalDate EasterSunday(std::chrono::year year);
bool IsNorwegianHoliday(LocalDate date);

// The hours of one day. Order: weekly hours, none on a holiday, cut by short days, none on a closed
// day, extra hours last of all.
std::vector<LocalRange> HoursOn(const Calendar& calendar, LocalDate date);

// The open time within `range`.
Intervals OpenIntervals(const Calendar& calendar, const Zone& zone, Interval range);

}  // namespace oppetid::collector
