// Sections 2 to 6, 9 and 10 of the definitions, a test for a sentence. Times are UTC, the day is
// 1 June 2026 in Norway: 31 May 22:00 to 1 June 22:00 UTC.
#include "collector/sla/availability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;
const std::string kDay = "2026-06-01..2026-06-02";

const std::string kOneCheck = OneService("up_when: h/a");

std::string Outages(const ServiceFigures& figures) {
  std::string out;
  for (const Outage& its : figures.outages) {
    out += FormatInstant(its.from).substr(8, 8) + "-" + FormatInstant(its.to).substr(8, 8) + "=" +
           std::to_string(its.down_ms / kMinute) + " ";
  }
  return out;
}

// The minutes of class up, down, unknown, excluded, outside.
std::vector<int64_t> Minutes(const ServiceFigures& its) {
  return {its.measured.up_ms / kMinute, its.measured.down_ms / kMinute,
          its.measured.unknown_ms / kMinute, its.excluded_ms / kMinute, its.outside_ms / kMinute};
}

ServiceFigures Day(const std::string& history, const std::string& catalogue = kOneCheck,
                   const std::string& as_known_at = "") {
  return SlaFiles(catalogue, history).Service(kDay, as_known_at);
}

TEST(Spans, TheOneWithTheGreatestFromDecidesAndAnEarlierNeverComesBack) {
  const auto its =
      Day(SpanLine("h/a", "00:00", "10:00", "ok") + SpanLine("h/a", "02:00", "03:00", "critical"));
  EXPECT_THAT(Minutes(its), ElementsAre(120, 60, 24 * 60 - 180, 0, 0));
}

TEST(Spans, OfTwoWithTheSameFromOnlyTheWorseCountsAndAmongEqualsTheLonger) {
  EXPECT_THAT(Minutes(Day(SpanLine("h/a", "00:00", "10:00", "ok") +
                          SpanLine("h/a", "00:00", "01:00", "critical"))),
              ElementsAre(0, 60, 23 * 60, 0, 0));
  EXPECT_THAT(Minutes(Day(SpanLine("h/a", "00:00", "10:00", "unknown") +
                          SpanLine("h/a", "00:00", "01:00", "ok"))),
              ElementsAre(60, 0, 23 * 60, 0, 0));
  EXPECT_THAT(Minutes(Day(SpanLine("h/a", "00:00", "02:00", "ok") +
                          SpanLine("h/a", "00:00", "01:00", "warning"))),
              ElementsAre(60, 0, 23 * 60, 0, 0));
  EXPECT_THAT(Minutes(Day(SpanLine("h/a", "00:00", "01:00", "critical") +
                          SpanLine("h/a", "00:00", "03:00", "critical"))),
              ElementsAre(0, 180, 21 * 60, 0, 0));
}

TEST(Spans, UnknownAndGapsCutLikeAnyOtherState) {
  for (const char* gap : {"", R"(,"gap":true,"reason":"spool lost")"}) {
    const auto its = Day(SpanLine("h/a", "00:00", "10:00", "ok") +
                         SpanLine("h/a", "02:00", "03:00", "unknown", gap));
    EXPECT_THAT(Minutes(its), ElementsAre(120, 0, 22 * 60, 0, 0));
  }
}

TEST(Spans, WarningIsUp) {
  EXPECT_THAT(Minutes(Day(SpanLine("h/a", "00:00", "01:00", "warning"))),
              ElementsAre(60, 0, 23 * 60, 0, 0));
}

TEST(Expressions, FollowTheKleeneTable) {
  // a, b, c: up, down or unknown during one hour; what the service is then.
  const std::vector<std::tuple<std::string, std::string, std::string>> table = {
      {"{all: [h/a, h/b, h/c]}", "uuu", "u"},
      {"{all: [h/a, h/b, h/c]}", "uux", "x"},
      {"{all: [h/a, h/b, h/c]}", "xud", "d"},
      {"{any: [h/a, h/b, h/c]}", "dxu", "u"},
      {"{any: [h/a, h/b, h/c]}", "ddd", "d"},
      {"{any: [h/a, h/b, h/c]}", "ddx", "x"},
      {"{at_least: 2, of: [h/a, h/b, h/c]}", "uud", "u"},
      {"{at_least: 2, of: [h/a, h/b, h/c]}", "udd", "d"},
      {"{at_least: 2, of: [h/a, h/b, h/c]}", "udx", "x"},
      {"{at_least: 2, of: [h/a, h/b, h/c]}", "uxx", "x"},
      {"{at_least: 2, of: [h/a, h/a, h/b]}", "uxx", "u"},  // named twice counts twice
      {"{any: [h/a, {all: [h/b, h/c]}]}", "duu", "u"},
      {"{any: [h/a, {all: [h/b, h/c]}]}", "dud", "d"},
      {"{any: [h/a, {all: [h/b, h/c]}]}", "dux", "x"},
      {"h/c", "uud", "d"}};
  for (const auto& [expression, states, expected] : table) {
    std::string history;
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i] == 'x') continue;
      history += SpanLine("h/" + std::string(1, static_cast<char>('a' + i)), "00:00", "01:00",
                          states[i] == 'u' ? "ok" : "critical");
    }
    const auto its = Day(history, OneService("up_when: " + expression)).measured;
    EXPECT_EQ(its.up_ms, expected == "u" ? kHour : 0) << expression << states;
    EXPECT_EQ(its.down_ms, expected == "d" ? kHour : 0) << expression << states;
  }
}

const std::string kTwoServices = R"(
municipalities: [{id: m}, {id: n}]
calendars: {mornings: {hours: {mon: "02:00-03:00"}}}
services:
  - {id: s, municipalities: [m, n], target: 99 %, up_when: h/a, depends_on: [t]}
  - {id: t, municipalities: [m], hours: mornings, target: 99 %, up_when: "h/gw-{municipality}", depends_on: [u]}
  - {id: u, municipalities: [m], target: 99 %, up_when: h/u}
)";

TEST(Dependencies, AreAllOfTheirExpressionsForTheSameMunicipalityTransitively) {
  const std::string history =
      SpanLine("h/a", "00:00", "10:00", "ok") + SpanLine("h/gw-m", "00:00", "04:00", "ok") +
      SpanLine("h/gw-n", "00:00", "10:00", "ok") +
      SpanLine("h/gw-m", "04:00", "05:00", "critical") + SpanLine("h/u", "00:00", "09:00", "ok") +
      SpanLine("h/u", "09:00", "10:00", "critical");
  const Report report = SlaFiles(kTwoServices, history).Of(kDay);
  // Neither the dependency's hours nor its membership play a part.
  EXPECT_THAT(Minutes(report.services[0].figures), ElementsAre(240, 120, 18 * 60, 0, 0));
  EXPECT_THAT(Minutes(report.services[1].figures), ElementsAre(540, 60, 14 * 60, 0, 0));
}

TEST(Dependencies, TheirMaintenanceAndCorrectionsPlayNoPart) {
  const std::string history =
      SpanLine("h/a", "00:00", "01:00", "ok") + SpanLine("h/gw-m", "00:00", "01:00", "critical") +
      R"({"type":"correction","id":"c","services":["t"],"municipalities":["*"],"from":"2026-06-01T00:00:00Z","to":"2026-06-01T01:00:00Z","as":"up","by":"b","reason":"r","recorded_at":"2026-06-02T00:00:00Z"})";
  const SlaFiles files(kTwoServices, history);  // what the report refers to
  const Report report = files.Of(kDay);
  EXPECT_EQ(report.services[0].figures.measured.down_ms, kHour);
  EXPECT_EQ(report.services[2].service->id, "t");
  EXPECT_EQ(report.services[2].figures.measured.down_ms, 0);  // 00-01 UTC is 02-03 local
  EXPECT_EQ(report.services[2].figures.measured.up_ms, kHour);
}

TEST(Membership, BothTheMunicipalitysAndTheEntrysMustHold) {
  const auto its = [](const std::string& municipality, const std::string& entry) {
    return SlaFiles("municipalities: [{id: m" + municipality +
                        "}]\nservices:\n  - {id: s, municipalities: [{id: m" + entry +
                        "}], target: 99 %, up_when: h/a}\n",
                    "")
               .Service("2026-06")
               .measured.service_time_ms() /
           (24 * kHour);
  };
  EXPECT_EQ(its("", ""), 30);
  EXPECT_EQ(its(", from: 2026-06-11", ""), 20);
  EXPECT_EQ(its("", ", until: 2026-06-11"), 10);
  EXPECT_EQ(its(", from: 2026-06-06", ", until: 2026-06-11"), 5);
  EXPECT_EQ(its(", until: 2026-06-06", ", from: 2026-06-11"), 0);
  EXPECT_EQ(its(", until: 2020-01-01, merged_into: m2}, {id: m2", ""), 0);  // the row stands
}

TEST(Classes, OutsideThenExcludedThenTheRest) {
  const std::string catalogue =
      OneService("up_when: h/a, hours: c, maintenance_notice: 1h",
                 "calendars: {c: {hours: {mon: \"10:00-14:00\"}}}\n");  // 08-12 UTC
  const auto its = Day(SpanLine("h/a", "00:00", "10:00", "ok") +
                           DecisionLine("maintenance", "w", "07:00", "09:00",
                                        R"("announced_at":"2026-06-01T06:00:00Z")") +
                           CorrectionLine("c1", "11:30", "13:00", "excluded") +
                           CorrectionLine("c2", "13:00", "14:00", "down"),
                       catalogue);
  EXPECT_THAT(Minutes(its), ElementsAre(60, 0, 90, 90, 20 * 60));
  EXPECT_EQ(its.measured.service_time_ms() + its.excluded_ms + its.outside_ms, its.period_ms);
}

TEST(Maintenance, IsPlannedWhenAnnouncedInTimeAndNotCancelled) {
  const auto excluded = [](const std::string& announced_at, const std::string& more = "",
                           const std::string& service = "up_when: h/a") {
    return Day(DecisionLine("maintenance", "w", "10:00", "12:00",
                            R"("announced_at":")" + announced_at + "\"") +
                   more,
               OneService(service))
               .excluded_ms /
           kMinute;
  };
  EXPECT_EQ(excluded("2026-05-29T10:00:00Z"), 120);  // 72 h to the millisecond
  EXPECT_EQ(excluded("2026-05-29T10:00:00.001Z"), 0);
  EXPECT_EQ(excluded("2026-06-01T09:00:00Z", "", "up_when: h/a, maintenance_notice: 1h"), 120);
  EXPECT_EQ(excluded("2026-06-01T10:00:00Z", "", "up_when: h/a, maintenance_notice: 0s"), 120);
  // Cancelled, also after the window has passed.
  EXPECT_EQ(excluded("2026-05-01T10:00:00Z", RevocationLine("w", "2027-01-01T00:00:00Z")), 0);
}

TEST(Maintenance, TheRowsOfAReportSayWhichWerePlannedAndCancelled) {
  const Report report =
      SlaFiles(kOneCheck, DecisionLine("maintenance", "a", "10:00", "12:00",
                                       R"("announced_at":"2026-05-01T10:00:00Z")") +
                              DecisionLine("maintenance", "b", "10:00", "12:00",
                                           R"("announced_at":"2026-06-01T10:00:00Z")") +
                              DecisionLine("maintenance", "c", "10:00", "12:00",
                                           R"("announced_at":"2026-05-01T10:00:00Z")") +
                              RevocationLine("c"))
          .Of(kDay);
  ASSERT_EQ(report.windows.size(), 3);
  EXPECT_TRUE(report.windows[0].planned && !report.windows[0].cancelled);
  EXPECT_TRUE(!report.windows[1].planned && !report.windows[1].cancelled);
  EXPECT_TRUE(report.windows[2].planned && report.windows[2].cancelled);
}

TEST(Corrections, OverrideMeasurementsAndMaintenance) {
  const std::string base = SpanLine("h/a", "00:00", "10:00", "critical") +
                           DecisionLine("maintenance", "w", "02:00", "04:00",
                                        R"("announced_at":"2026-05-01T00:00:00Z")");
  EXPECT_THAT(Minutes(Day(base)), ElementsAre(0, 480, 14 * 60, 120, 0));
  EXPECT_THAT(Minutes(Day(base + CorrectionLine("c", "03:00", "05:00", "up"))),
              ElementsAre(120, 420, 14 * 60, 60, 0));
}

TEST(Corrections, TheLaterRecordedWinsAndOnATieTheGreaterId) {
  const auto up = [](const std::string& history) { return Day(history).measured.up_ms / kMinute; };
  EXPECT_EQ(up(CorrectionLine("c2", "01:00", "03:00", "down", "2026-06-02T00:00:00Z") +
               CorrectionLine("c1", "02:00", "04:00", "up", "2026-06-03T00:00:00Z")),
            120);
  EXPECT_EQ(up(CorrectionLine("c2", "01:00", "03:00", "down") +
               CorrectionLine("c1", "02:00", "04:00", "up")),
            60);
  EXPECT_EQ(up(CorrectionLine("c10", "01:00", "03:00", "down") +  // "c9" > "c10" as text
               CorrectionLine("c9", "02:00", "04:00", "up")),
            120);
}

TEST(Corrections, ARevocationMakesThemAsIfTheyHadNeverBeen) {
  const std::string spans = SpanLine("h/a", "00:00", "10:00", "critical");
  const std::string more =
      CorrectionLine("c", "01:00", "03:00", "up") + RevocationLine("c", "2026-06-05T00:00:00Z");
  EXPECT_EQ(Minutes(Day(spans + more)), Minutes(Day(spans)));
  // Not yet known then.
  EXPECT_EQ(Day(spans + more, kOneCheck, "2026-06-04T00:00:00Z").measured.up_ms, 2 * kHour);
}

TEST(Verdicts, CompareExactly) {
  constexpr auto kBounds = UnknownMode::kBounds;
  const Percent target{99'900'000};
  EXPECT_EQ(VerdictOf({999, 1, 0}, target, kBounds), Verdict::kMet);
  EXPECT_EQ(VerdictOf({998, 2, 0}, target, kBounds), Verdict::kBreached);
  EXPECT_EQ(VerdictOf({998, 1, 1}, target, kBounds), Verdict::kUndetermined);
  EXPECT_EQ(VerdictOf({0, 0, 0}, target, kBounds), Verdict::kNotApplicable);
  EXPECT_EQ(VerdictOf({0, 0, 5}, target, kBounds), Verdict::kNotMeasured);
  EXPECT_EQ(VerdictOf({0, 0, 5}, target, UnknownMode::kExclude), Verdict::kNotMeasured);
  EXPECT_EQ(VerdictOf({0, 0, 5}, target, UnknownMode::kDown), Verdict::kBreached);
  EXPECT_EQ(VerdictOf({0, 0, 5}, target, UnknownMode::kUp), Verdict::kMet);
  EXPECT_EQ(VerdictOf({999, 1, 500}, target, UnknownMode::kExclude), Verdict::kMet);
  EXPECT_EQ(VerdictOf({999, 1, 500}, target, UnknownMode::kDown), Verdict::kBreached);
  EXPECT_EQ(VerdictOf({499, 1, 500}, target, UnknownMode::kUp), Verdict::kMet);
  // A century of milliseconds, one of them too many: 64 bits would overflow.
  constexpr int64_t kCentury = 3'155'760'000'000;
  const Percent nines{99'999'999};
  EXPECT_EQ(VerdictOf({kCentury - 31'557, 31'557, 0}, nines, kBounds), Verdict::kMet);
  EXPECT_EQ(VerdictOf({kCentury - 31'558, 31'558, 0}, nines, kBounds), Verdict::kBreached);
}

TEST(Verdicts, TheLongestStretchOfDownHasItsOwnLimit) {
  const std::string hour = SpanLine("h/a", "00:00", "09:00", "ok") +
                           SpanLine("h/a", "09:00", "10:00", "critical") +
                           SpanLine("h/a", "10:00", "22:00", "ok");
  const auto verdict = [&](const std::string& limit, const std::string& more = "") {
    return Day(hour + more, OneService("up_when: h/a, unknown: up, longest_down: " + limit, "", 10))
        .verdict;
  };
  EXPECT_EQ(verdict("1h"), Verdict::kMet);
  EXPECT_EQ(verdict("59m"), Verdict::kBreached);
  // An exclusion splits it.
  EXPECT_EQ(verdict("59m", CorrectionLine("c", "09:20", "09:21", "excluded")), Verdict::kMet);
}

TEST(Percentages, AreCutOffNeverRoundedUp) {
  EXPECT_EQ(CutOffPercent(999'996, 1'000'000, 2, "."), "99.99");
  EXPECT_EQ(CutOffPercent(999'999'999'999, 1'000'000'000'000, 2, ","), "99,99");
  EXPECT_EQ(CutOffPercent(1, 1, 3, ","), "100,000");
  EXPECT_EQ(CutOffPercent(1, 3, 0, "."), "33");
  EXPECT_EQ(CutOffPercent(1, 20'000, 3, "."), "0.005");
  EXPECT_EQ(CutOffPercent(0, 0, 2, "."), "");
}

TEST(Outages, UnknownBridgesAndUpEnds) {
  const auto its =
      Day(SpanLine("h/a", "01:00", "02:00", "critical") +
          SpanLine("h/a", "05:00", "06:00", "critical") + SpanLine("h/a", "06:00", "07:00", "ok") +
          SpanLine("h/a", "08:00", "09:00", "critical"));
  EXPECT_EQ(Outages(its), "01T01:00-01T06:00=120 01T08:00-01T09:00=60 ");
  EXPECT_EQ(its.measured.unknown_ms, 20 * kHour);
}

TEST(Outages, AreNotSplitByHoursMaintenanceOrExclusion) {
  const auto its = Day(SpanLine("h/a", "01:00", "09:00", "critical") +
                       CorrectionLine("c", "02:00", "03:00", "excluded") +
                       DecisionLine("maintenance", "w", "04:00", "05:00",
                                    R"("announced_at":"2026-05-01T00:00:00Z")"));
  EXPECT_EQ(Outages(its), "01T01:00-01T09:00=360 ");
  EXPECT_EQ(its.longest_down_ms, 4 * kHour);
}

TEST(Outages, CorrectionsToUpAndDownChangeTheState) {
  EXPECT_EQ(Outages(Day(SpanLine("h/a", "01:00", "09:00", "critical") +
                        CorrectionLine("c", "02:00", "03:00", "up"))),
            "01T01:00-01T02:00=60 01T03:00-01T09:00=360 ");
  EXPECT_EQ(Outages(Day(SpanLine("h/a", "01:00", "09:00", "ok") +
                        CorrectionLine("c", "02:00", "03:00", "down"))),
            "01T02:00-01T03:00=60 ");
  // For the state only up and down compete: an exclusion recorded later changes the class alone.
  EXPECT_EQ(Outages(Day(SpanLine("h/a", "01:00", "09:00", "ok") +
                        CorrectionLine("c", "02:00", "04:00", "down", "2026-06-02T00:00:00Z") +
                        CorrectionLine("d", "03:00", "05:00", "excluded", "2026-06-03T00:00:00Z"))),
            "01T02:00-01T04:00=60 ");
}

TEST(Outages, HaveTheirTrueBoundsAlsoOutsideThePeriodAndTheHours) {
  const std::string catalogue = OneService(
      "up_when: h/a, hours: c", "calendars: {c: {hours: {mon: \"10:00-14:00\"}}}\n");  // 08-12 UTC
  const std::string line =
      R"({"type":"span","check":"h/a","from":"2026-05-20T00:00:00Z","to":"2026-06-09T00:00:00Z","state":"critical"})";
  EXPECT_EQ(Outages(Day(line, catalogue)), "20T00:00-09T00:00=240 ");
  // None of it in the class time: not this period's.
  EXPECT_THAT(SlaFiles(catalogue, line).Service("2026-06-02..2026-06-03").outages, IsEmpty());
}

TEST(AsKnownAt, SpansEndThereAndTheFutureIsInNoClass) {
  const auto its =
      Day(SpanLine("h/a", "01:00", "09:00", "critical"), kOneCheck, "2026-06-01T05:00:00Z");
  EXPECT_EQ(its.period_ms, 7 * kHour);
  EXPECT_EQ(Outages(its), "01T01:00-01T05:00=240 ");
}

TEST(AsKnownAt, OnlyWhatWasRecordedByThenCounts) {
  const std::string late =
      SpanLine("h/a", "01:00", "02:00", "critical", R"(,"recorded_at":"2026-06-08T00:00:00Z")");
  EXPECT_EQ(Day(late, kOneCheck, "2026-06-07T23:59:59.999Z").measured.down_ms, 0);
  EXPECT_EQ(Day(late, kOneCheck, "2026-06-08T00:00:00Z").measured.down_ms, kHour);
  EXPECT_EQ(Day(late).measured.down_ms, kHour);
}

TEST(AsKnownAt, BeforeThePeriodNothingIsComputed) {
  const Report report =
      SlaFiles(kOneCheck, SpanLine("h/a", "01:00", "09:00", "ok")).Of(kDay, "2026-05-01T00:00:00Z");
  EXPECT_EQ(report.computed_to, report.period.from);
  EXPECT_EQ(report.services[0].figures.period_ms, 0);
  EXPECT_EQ(report.services[0].figures.verdict, Verdict::kNotApplicable);
}

TEST(AsKnownAt, CorrectionsEndThereToo) {
  const auto its = Day(CorrectionLine("c", "01:00", "09:00", "down", "2026-06-01T02:00:00Z"),
                       kOneCheck, "2026-06-01T05:00:00Z");
  EXPECT_EQ(Outages(its), "01T01:00-01T05:00=240 ");
}

const std::string kBackups = R"(
municipalities: [{id: m, until: 2020-01-01}]
backups: [{job: j, municipalities: [m], rpo: 10h, target: 50 %, restore_test_every: 2d}]
)";

std::string RunLine(const std::string& kind, const std::string& start, const std::string& end,
                    const std::string& result = "success") {
  return R"({"type":"backup_run","job":"j","kind":")" + kind + R"(","start":"2026-06-01T)" + start +
         R"(:00Z","end":"2026-06-01T)" + end + R"(:00Z","result":")" + result + "\"}\n";
}

TEST(Backups, AgeCountsFromTheStartOfTheNewestRunThatHasEnded) {
  const Report report =
      SlaFiles(kBackups, RunLine("backup", "00:00", "02:00") + RunLine("backup", "11:00", "13:00") +
                             RunLine("backup", "03:00", "04:00", "failed"))
          .Of(kDay);
  const BackupFigures& its = report.backups.at(0).backup;
  // Unknown 22-02, within 02-10, over 10-13, within 13-21, over 21-22.
  EXPECT_EQ(its.unknown_ms, 4 * kHour);
  EXPECT_EQ(its.within_ms, 16 * kHour);
  EXPECT_EQ(its.over_ms, 4 * kHour);
  EXPECT_EQ(its.verdict, Verdict::kMet);  // membership plays no part
  EXPECT_EQ(report.backups[0].restore_test->verdict, Verdict::kNotMeasured);
}

TEST(Backups, RestoreTestsHaveTheirOwnIntervalAndTheSameTarget) {
  const Report report = SlaFiles(kBackups, RunLine("restore_test", "20:00", "21:00")).Of(kDay);
  EXPECT_EQ(report.backups.at(0).restore_test->within_ms, kHour);
  EXPECT_EQ(report.backups[0].restore_test->unknown_ms, 23 * kHour);
  EXPECT_EQ(report.backups[0].restore_test->verdict, Verdict::kUndetermined);
  EXPECT_EQ(report.backups[0].backup.verdict, Verdict::kNotMeasured);
}

}  // namespace
}  // namespace oppetid::collector
