// Sections 1 and 7 of the definitions: periods, calendars, holidays, clock changes.
#include "collector/sla/calendar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sla_files.h"
#include "tests/support/sla_reference.h"

namespace oppetid::collector {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;

const Zone& Oslo() {
  static const Zone zone = *Zone::Find("Europe/Oslo");
  return zone;
}

int64_t HoursOf(const std::string& period) {
  const auto its = ParsePeriod(period, Oslo());
  return its ? (its->to - its->from) / hours(1) : -1;
}

TEST(Period, IsAnHourShorterOrLongerWithAClockChange) {
  EXPECT_EQ(HoursOf("2026-Q1"), 2159);
  EXPECT_EQ(HoursOf("2026-Q2"), 2184);
  EXPECT_EQ(HoursOf("2026-Q3"), 2208);
  EXPECT_EQ(HoursOf("2026-Q4"), 2209);
  EXPECT_EQ(HoursOf("2026"), 8760);
  EXPECT_EQ(HoursOf("2028"), 8784);
  EXPECT_EQ(HoursOf("2026-03"), 743);
  EXPECT_EQ(HoursOf("2028-02"), 29 * 24);
  EXPECT_EQ(HoursOf("2026-03-29..2026-03-30"), 23);
  EXPECT_EQ(HoursOf("2026-10-25..2026-10-26"), 25);
  EXPECT_EQ(HoursOf("2026-07-01..2026-07-01"), 0);
  EXPECT_EQ(FormatInstant(ParsePeriod("2026-Q3", Oslo())->from), "2026-06-30T22:00:00.000Z");
}

TEST(Period, RefusesWhatIsNone) {
  for (const char* bad : {"", "2026-Q0", "2026-Q5", "2026-13", "2026-00", "26-Q1", "2026-7",
                          "2026-02-30..2026-03-01", "2026-07-02..2026-07-01", "2026-07-01",
                          "2026Q3", "2026-Q3 ", "2026-07-01..", "1969", "9999"}) {
    EXPECT_FALSE(ParsePeriod(bad, Oslo())) << bad;
  }
}

// Also after 2037, where the tables of the time zone database end.
TEST(Zone, AgreesWithTheEuRuleOnEveryQuarterOfAnHour) {
  for (const int year : {1999, 2025, 2026, 2028, 2037, 2038, 2040, 2100, 2404}) {
    const LocalDate first(std::chrono::year(year) / 1 / 1);
    for (LocalTime at = first; at < first + std::chrono::days(366); at += minutes(15)) {
      ASSERT_EQ(Oslo().First(at), reference::FirstOslo(at)) << year;
      ASSERT_EQ(Oslo().Second(at), reference::SecondOslo(at)) << year;
      ASSERT_EQ(Oslo().First(Oslo().LocalOf(Oslo().First(at))), Oslo().First(at)) << year;
    }
  }
}

TEST(Zone, AMidnightThatDoesNotExistIsTheInstantOfTheChange) {
  const Zone beirut = *Zone::Find("Asia/Beirut");  // changes at midnight
  EXPECT_EQ(FormatInstant(beirut.First(*ParseDate("2025-03-30"))), "2025-03-29T22:00:00.000Z");
  EXPECT_FALSE(Zone::Find("Europe/Olso"));
}

TEST(Holidays, EasterIsWhereTheAlmanacHasIt) {
  const std::vector<std::pair<int, const char*>> known = {
      {2000, "2000-04-23"}, {2008, "2008-03-23"}, {2011, "2011-04-24"}, {2019, "2019-04-21"},
      {2024, "2024-03-31"}, {2025, "2025-04-20"}, {2026, "2026-04-05"}, {2027, "2027-03-28"},
      {2028, "2028-04-16"}, {2029, "2029-04-01"}, {2030, "2030-04-21"}, {2038, "2038-04-25"}};
  for (const auto& [year, date] : known) {
    EXPECT_EQ(FormatDate(EasterSunday(std::chrono::year(year))), date);
  }
}

TEST(Holidays, AreTheTwelveOfTheYear) {
  std::vector<std::string> days;
  const LocalDate first = *ParseDate("2026-01-01");
  for (LocalDate day = first; day < first + std::chrono::days(365); day += std::chrono::days(1)) {
    if (IsNorwegianHoliday(day)) days.push_back(FormatDate(day));
  }
  EXPECT_THAT(days, ElementsAre("2026-01-01", "2026-04-02", "2026-04-03", "2026-04-05",
                                "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-17",
                                "2026-05-24", "2026-05-25", "2026-12-25", "2026-12-26"));
}

// The open time of one local day, as UTC "HH:MM-HH:MM", of a calendar under test.
std::string Open(const std::string& calendar, const std::string& date) {
  const SlaFiles files("calendars: {c: " + calendar + "}\n", "");
  EXPECT_THAT(files.faults(), testing::IsEmpty()) << calendar;
  if (!files.faults().empty()) return "";
  const Calendar& its = files.catalogue().calendars.at("c");
  const LocalDate day = *ParseDate(date);
  std::string out;
  for (const Interval& open :
       OpenIntervals(its, Oslo(), {Oslo().First(day), Oslo().First(day + std::chrono::days(1))})) {
    if (!out.empty()) out += " ";
    out += FormatInstant(open.from).substr(11, 5) + "-" + FormatInstant(open.to).substr(11, 5);
  }
  return out;
}

TEST(Calendar, WeeklyHoursAreLocal) {
  const std::string office = "{hours: {mon-fri: \"08:00-15:30\"}, holidays: norway}";
  EXPECT_EQ(Open(office, "2026-06-01"), "06:00-13:30");
  EXPECT_EQ(Open(office, "2026-12-01"), "07:00-14:30");
  EXPECT_EQ(Open(office, "2026-06-06"), "");  // a Saturday
  EXPECT_EQ(Open(office, "2026-05-25"), "");  // Whit Monday
  EXPECT_EQ(Open("{hours: {mon-fri: \"08:00-15:30\"}}", "2026-05-25"), "06:00-13:30");
}

TEST(Calendar, RangesOfDaysWrapAndADayNamedTwiceHasBoth) {
  const std::string wraps = "{hours: {fri-mon: \"10:00-12:00\"}}";
  EXPECT_EQ(Open(wraps, "2026-06-01"), "08:00-10:00");
  EXPECT_EQ(Open(wraps, "2026-06-02"), "");
  EXPECT_EQ(Open(wraps, "2026-06-07"), "08:00-10:00");
  const std::string both =
      "{hours: {\"mon,wed\": [\"08:00-10:00\", \"12:00-13:00\"], mon: \"09:00-11:00\"}}";
  EXPECT_EQ(Open(both, "2026-06-01"), "06:00-09:00 10:00-11:00");
  EXPECT_EQ(Open(both, "2026-06-03"), "06:00-08:00 10:00-11:00");
}

TEST(Calendar, ADayEndsAt24) {
  EXPECT_EQ(Open("{hours: {mon-sun: \"00:00-24:00\"}}", "2026-06-01"), "22:00-22:00");
}

TEST(Calendar, ShortDaysCloseEarlierAndNeverLater) {
  const std::string its =
      "{hours: {mon-fri: [\"08:00-11:00\", \"13:00-16:00\"]}, holidays: norway, short_days: "
      "{christmas_eve: \"12:00\", easter_wednesday: \"10:00\", new_years_eve: \"18:00\", "
      "whitsun_eve: \"09:00\", 2026-06-01: \"14:00\", 2026-12-24: \"09:00\"}}";
  EXPECT_EQ(Open(its, "2026-12-24"), "07:00-08:00");              // of two, the earlier
  EXPECT_EQ(Open(its, "2025-12-24"), "07:00-10:00");              // the afternoon is gone
  EXPECT_EQ(Open(its, "2026-04-01"), "06:00-08:00");              // Easter Wednesday
  EXPECT_EQ(Open(its, "2026-12-31"), "07:00-10:00 12:00-15:00");  // never later than usual
  EXPECT_EQ(Open(its, "2026-06-01"), "06:00-09:00 11:00-12:00");
  EXPECT_EQ(
      Open("{hours: {sat: \"08:00-16:00\"}, short_days: {whitsun_eve: \"09:00\"}}", "2026-05-23"),
      "06:00-07:00");
}

TEST(Calendar, ClosedRemovesAndExtraAddsLastOfAll) {
  const std::string its =
      "{hours: {mon-fri: \"08:00-15:30\"}, holidays: norway, closed: [2026-06-01, 2026-06-02], "
      "short_days: {2026-06-02: \"09:00\"}, extra: {2026-06-02: \"10:00-14:00\", 2026-05-25: "
      "[\"10:00-11:00\", \"12:00-13:00\"], 2026-06-06: \"10:00-11:00\"}}";
  EXPECT_EQ(Open(its, "2026-06-01"), "");
  EXPECT_EQ(Open(its, "2026-06-02"), "08:00-12:00");
  EXPECT_EQ(Open(its, "2026-05-25"), "08:00-09:00 10:00-11:00");
  EXPECT_EQ(Open(its, "2026-06-06"), "08:00-09:00");
}

TEST(Calendar, LocalTimesThatDoNotExistOrExistTwice) {
  // Clocks forward at 01:00 UTC: 02:30 does not exist and means the instant of the change.
  EXPECT_EQ(Open("{hours: {sun: \"02:30-05:00\"}}", "2026-03-29"), "01:00-03:00");
  EXPECT_EQ(Open("{hours: {sun: \"01:00-02:30\"}}", "2026-03-29"), "00:00-01:00");
  EXPECT_EQ(Open("{hours: {sun: \"02:00-03:00\"}}", "2026-03-29"), "");
  // Clocks back at 01:00 UTC: 02:30 is 00:30 and 01:30.
  EXPECT_EQ(Open("{hours: {sun: \"02:30-05:00\"}}", "2026-10-25"), "00:30-04:00");
  EXPECT_EQ(Open("{hours: {sun: \"01:00-02:30\"}}", "2026-10-25"), "23:00-01:30");
  EXPECT_EQ(Open("{hours: {sun: [\"01:00-02:15\", \"02:45-04:00\"]}}", "2026-10-25"),
            "23:00-03:00");
}

TEST(Intervals, UniteIntersectAndSubtract) {
  const auto at = [](int64_t ms) { return FromUnixMillis(ms); };
  const auto make = [&](std::vector<std::pair<int, int>> pairs) {
    Intervals out;
    for (const auto& [from, to] : pairs) out.push_back({at(from), at(to)});
    return out;
  };
  EXPECT_EQ(Normalise(make({{5, 7}, {3, 3}, {1, 2}, {6, 9}, {2, 3}, {8, 4}})),
            make({{1, 3}, {5, 9}}));
  EXPECT_EQ(Union(make({{1, 3}}), make({{3, 5}, {7, 8}})), make({{1, 5}, {7, 8}}));
  EXPECT_EQ(Intersect(make({{1, 4}, {6, 9}}), make({{3, 7}, {8, 10}})),
            make({{3, 4}, {6, 7}, {8, 9}}));
  EXPECT_EQ(Subtract(make({{1, 10}, {12, 14}}), make({{0, 2}, {4, 5}, {9, 13}})),
            make({{2, 4}, {5, 9}, {13, 14}}));
  EXPECT_EQ(Length(make({{1, 3}, {5, 9}})), Millis(6));
}

}  // namespace
}  // namespace oppetid::collector
