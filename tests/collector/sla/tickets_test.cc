// Section 8 of the definitions, a test for a sentence. June 2026, office hours 08:00-16:00 in
// Norway: 06:00-14:00 UTC; 1 June is a Monday.
#include "collector/sla/tickets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kHour = 3'600'000;

const std::string kCatalogue = R"(
municipalities: [{id: m}, {id: n, from: 2027-01-01}]
calendars: {office: {hours: {mon-fri: "08:00-16:00"}}}
tickets:
  calendar: office
  targets:
    - {kind: incident, priority: P1, respond_within: 1h, resolve_within: 4h, attain: 50 %,
       calendar: always}
    - {kind: incident, priority: P2, respond_within: 2h, resolve_within: 8h, attain: 90 %}
    - {kind: incident, priority: P4, resolve_within: 8h}
)";

// Events as "DDTHH:MM status", and more keys after it.
std::string Ticket(const std::string& priority, const std::vector<std::string>& events,
                   const std::string& more = "", const std::string& id = "t") {
  std::string out = R"({"type":"ticket","id":")" + id +
                    R"(","municipality":"m","kind":"incident","priority":")" + priority +
                    R"(","events":[)";
  for (size_t i = 0; i < events.size(); ++i) {
    const std::string& its = events[i];
    const size_t comma = its.find(',');
    out += (i > 0 ? R"(,{"at":"2026-06-)" : R"({"at":"2026-06-)") + its.substr(0, 8) +
           R"(:00Z","status":")" + its.substr(9, comma - 9) + "\"" +
           (comma == std::string::npos ? "" : its.substr(comma)) + "}";
  }
  return out + "]" + more + "}\n";
}

TicketFigures Row(const std::string& tickets, const std::string& period = "2026-06",
                  const std::string& as_known_at = "", const std::string& catalogue = kCatalogue) {
  const Report report = SlaFiles(catalogue, "", tickets).Of(period, as_known_at);
  EXPECT_THAT(report.tickets, SizeIs(1));
  return report.tickets.empty() ? TicketFigures{} : report.tickets[0];
}

TEST(Tickets, TheResponseIsTheFirstEventMarkedOrNotNew) {
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 new", "01T07:00 open"})).median_response_ms, kHour);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 new", "01T07:00 new,\"responded\":true", "01T09:00 open"}))
                .median_response_ms,
            kHour);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open"})).median_response_ms, 0);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 new"})).median_response_ms, std::nullopt);
}

TEST(Tickets, ResponseTimeIsOpenTimeAndPausesPlayNoPart) {
  std::string paused = kCatalogue;
  paused.replace(paused.find("  targets:"), 0, "  pause_on: [new]\n");
  EXPECT_EQ(Row(Ticket("P2", {"01T13:00 new", "02T07:00 open"}), "2026-06", "", paused)
                .median_response_ms,
            2 * kHour);  // one before closing, one after opening
}

TEST(Tickets, TheClockRunsInOpenTimeAndStandsInPauses) {
  const auto row = Row(Ticket("P2", {"01T06:00 new", "01T08:00 waiting_customer", "01T10:00 open",
                                     "01T11:00 waiting_supplier", "01T12:00 resolved"}));
  EXPECT_EQ(row.median_resolution_ms, 4 * kHour);
  // Over a weekend; the target's own calendar is always open.
  EXPECT_EQ(Row(Ticket("P2", {"05T13:00 open", "08T07:00 closed"})).median_resolution_ms,
            2 * kHour);
  EXPECT_EQ(Row(Ticket("P1", {"05T13:00 open", "08T07:00 closed"})).median_resolution_ms,
            66 * kHour);
}

TEST(Tickets, TheFinalResolutionIsTheFirstOfTheUnbrokenRunAtTheEnd) {
  const auto row = Row(Ticket("P2", {"01T06:00 open", "01T07:00 resolved", "01T09:00 open",
                                     "01T10:00 resolved", "03T10:00 closed"}));
  EXPECT_EQ(row.resolved, 1);
  EXPECT_EQ(row.reopened, 1);
  EXPECT_EQ(row.median_resolution_ms, 2 * kHour);  // ran on from where it stood
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open", "01T07:00 resolved", "01T09:00 new"})).backlog, 1);
}

TEST(Tickets, ATicketResolvedAtTheBreachInstantIsMet) {
  EXPECT_EQ(Row(Ticket("P1", {"01T06:00 open", "01T10:00 resolved"})).resolution_met, 1);
  const auto row = Row(R"({"type":"ticket","id":"t","municipality":"m","kind":"incident",)"
                       R"("priority":"P1","events":[{"at":"2026-06-01T06:00:00Z","status":"open"},)"
                       R"({"at":"2026-06-01T10:00:00.001Z","status":"resolved"}]})");
  EXPECT_EQ(row.resolution_met, 0);
  EXPECT_EQ(row.resolution_breached, 1);
}

// Where the clock stands when it reaches the target, the breach is the instant at which it next
// runs: P2's 8 hours fill one office day, and the next begins on 2 June 06:00 UTC.
TEST(Tickets, ATargetReachedAtClosingTimeBreachesAtTheNextOpening) {
  const std::string open = Ticket("P2", {"01T06:00 open"});
  EXPECT_EQ(Row(open, "2026-06-01..2026-06-02").resolution_breached, 0);
  EXPECT_EQ(Row(open, "2026-06-02..2026-06-03").resolution_breached, 1);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open", "02T06:00 resolved"})).resolution_met, 1);
  // Paused exactly when the target is reached, and never running again: no breach.
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open", "01T14:00 waiting_customer"})).resolution_breached,
            0);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open", "01T14:00 waiting_customer", "04T06:00 open"}),
                "2026-06-04..2026-06-05")
                .resolution_breached,
            1);
}

TEST(Tickets, AnInstantAtThePeriodsEndIsTheNextOnes) {
  // P1's calendar is always open: breached at 22:00 UTC, local midnight.
  const std::string its = Ticket("P1", {"01T18:00 open"});
  EXPECT_EQ(Row(its, "2026-06-01..2026-06-02").resolution_breached, 0);
  EXPECT_EQ(Row(its, "2026-06-02..2026-06-03").resolution_breached, 1);
  EXPECT_EQ(Row(its, "2026-06-03..2026-06-04").resolution_breached, 0);
  EXPECT_EQ(Row(its, "2026-06-03..2026-06-04").backlog, 1);
}

TEST(Tickets, EachPeriodIsTakenByItself) {
  const std::string its =
      Ticket("P2", {"01T06:00 open", "01T08:00 resolved", "10T06:00 open", "10T08:00 resolved"});
  EXPECT_EQ(Row(its, "2026-06-01..2026-06-05").resolution_met, 1);
  EXPECT_EQ(Row(its, "2026-06-05..2026-06-30").resolution_met, 1);
  EXPECT_EQ(Row(its).resolution_met, 1);
}

TEST(Tickets, TheLastPriorityBeforeThePeriodsEndDecidesForTheWholeClock) {
  const std::string its =
      Ticket("P2", {"01T06:00 open", "01T12:00 open,\"priority\":\"P1\"", "01T13:00 resolved"});
  EXPECT_EQ(Row(its).priority, "P1");
  EXPECT_EQ(Row(its).resolution_breached, 1);
  const std::string later =
      Ticket("P2", {"01T06:00 open", "01T13:00 resolved", "20T06:00 closed,\"priority\":\"P1\""});
  EXPECT_EQ(Row(later, "2026-06-01..2026-06-05").priority, "P2");
  EXPECT_EQ(Row(later, "2026-06-01..2026-06-05").resolution_met, 1);
  EXPECT_EQ(Row(later).priority, "P1");
}

TEST(Tickets, EventsSortByInstantThenByTheirOrderInTheSource) {
  const auto row =
      Row(Ticket("P2", {"01T08:00 resolved", "01T06:00 new", "01T07:00 open", "01T08:00 closed"}));
  EXPECT_EQ(row.median_resolution_ms, 2 * kHour);
  EXPECT_EQ(row.reopened, 0);
  EXPECT_EQ(Row(Ticket("P2", {"01T06:00 open", "01T08:00 resolved", "01T08:00 open"})).reopened, 1);
}

TEST(Tickets, WithoutATargetTheyAreCountedButNeverMetOrBreached) {
  const auto row = Row(Ticket("P3", {"01T06:00 open", "09T07:00 resolved"}));
  EXPECT_EQ(row.created + row.resolved, 2);
  EXPECT_EQ(row.resolution_met + row.resolution_breached + row.response_met, 0);
  EXPECT_EQ(row.median_resolution_ms, 6 * 8 * kHour + kHour);
  EXPECT_EQ(row.target_met, std::nullopt);
  // A target without a share: decided, but not compared.
  EXPECT_EQ(Row(Ticket("P4", {"01T06:00 open", "01T07:00 resolved"})).resolution_met, 1);
  EXPECT_EQ(Row(Ticket("P4", {"01T06:00 open", "01T07:00 resolved"})).target_met, std::nullopt);
}

TEST(Tickets, AttainmentAndRanks) {
  std::string tickets;
  for (int i = 1; i <= 10; ++i) {  // resolved after i hours, target 4 h of always
    const std::string hour = (i < 4 ? "0" : "") + std::to_string(6 + i);
    tickets +=
        Ticket("P1", {"01T06:00 open", "01T" + hour + ":00 resolved"}, "", "t" + std::to_string(i));
  }
  const auto row = Row(tickets);
  EXPECT_EQ(row.resolution_met, 4);
  EXPECT_EQ(row.resolution_breached, 6);
  EXPECT_EQ(row.target_met, false);  // 50 % agreed
  EXPECT_EQ(row.response_target_met, true);
  EXPECT_EQ(row.median_resolution_ms, 5 * kHour);
  EXPECT_EQ(row.p90_resolution_ms, 9 * kHour);
}

TEST(Tickets, ARemovalIsFinalAndTakesTheAnswerAlong) {
  const std::string its = Ticket(
      "P2",
      {"01T06:00 open", "01T07:00 resolved", "03T06:00 closed,\"removed\":true", "04T06:00 open"},
      R"(,"satisfaction":{"score":5,"at":"2026-06-02T00:00:00Z"})");
  const Report before = SlaFiles(kCatalogue, "", its).Of("2026-06-01..2026-06-03");
  EXPECT_THAT(before.tickets, SizeIs(1));
  EXPECT_THAT(before.satisfaction, SizeIs(1));
  const Report after = SlaFiles(kCatalogue, "", its).Of("2026-06");
  EXPECT_THAT(after.tickets, IsEmpty());
  EXPECT_THAT(after.satisfaction, IsEmpty());
}

TEST(Tickets, TheNewestAnswerKnownThenBeforeThePeriodsEndCounts) {
  const std::string its =
      Ticket("P2", {"01T06:00 open"},
             R"(,"satisfaction":{"score":1,"at":"2026-07-05T00:00:00Z"},)"
             R"("earlier_answers":[{"score":5,"at":"2026-06-05T00:00:00Z"},)"
             R"({"score":4,"at":"2026-06-09T00:00:00Z","recorded_at":"2026-06-20T00:00:00Z"}])");
  const SlaFiles files(kCatalogue, "", its);
  const auto sum = [&](const std::string& period, const std::string& as_known_at) {
    const Report report = files.Of(period, as_known_at);
    EXPECT_LE(report.satisfaction.size(), 1U);
    return report.satisfaction.empty() ? 0 : report.satisfaction[0].sum;
  };
  EXPECT_EQ(sum("2026-06", ""), 4);  // not none because of July's
  EXPECT_EQ(sum("2026-07", ""), 1);
  EXPECT_EQ(sum("2026-06", "2026-06-15T00:00:00Z"), 5);  // June's second was not known yet
  EXPECT_EQ(sum("2026-Q2", "2026-08-01T00:00:00Z"), 4);
  EXPECT_EQ(sum("2026", ""), 1);
}

TEST(Tickets, AnAnswerCountsByItsInstantUnderTheLastMunicipality) {
  const std::string its = Ticket("P2", {"01T06:00 open", "02T06:00 open,\"municipality\":\"n\""},
                                 R"(,"satisfaction":{"score":4,"at":"2026-06-05T00:00:00Z"})");
  const Report report = SlaFiles(kCatalogue, "", its).Of("2026-06");
  ASSERT_THAT(report.satisfaction, SizeIs(1));
  EXPECT_EQ(report.satisfaction[0].municipality, "n");  // though it is no member yet
  EXPECT_EQ(report.satisfaction[0].sum, 4);
  EXPECT_EQ(report.satisfaction[0].four_or_more, 1);
  EXPECT_THAT(SlaFiles(kCatalogue, "", its).Of("2026-05").satisfaction, IsEmpty());
}

TEST(Tickets, ARowStandsForOldTicketsTooAndNoneForFutureOnes) {
  const std::string its = Ticket("P2", {"01T06:00 open", "01T07:00 resolved"});
  const auto row = Row(its, "2026-07");
  EXPECT_EQ(row.created + row.resolved + row.backlog + row.reopened + row.resolution_met, 0);
  EXPECT_THAT(SlaFiles(kCatalogue, "", its).Of("2026-05").tickets, IsEmpty());
}

TEST(Tickets, AsKnownAtEventsCountByWhenTheyWereRecorded) {
  const std::string its =
      Ticket("P2", {"01T06:00 open", "01T07:00 resolved,\"recorded_at\":\"2026-06-05T00:00:00Z\""});
  EXPECT_EQ(Row(its, "2026-06", "2026-06-04T00:00:00Z").backlog, 1);
  EXPECT_EQ(Row(its, "2026-06", "2026-06-05T00:00:00Z").resolved, 1);
}

TEST(Tickets, RowsAreSortedAsText) {
  const Report report = SlaFiles(kCatalogue, "",
                                 Ticket("P2", {"01T06:00 open,\"municipality\":\"n\""}, "", "a") +
                                     Ticket("P3", {"01T06:00 open"}, "", "b") +
                                     Ticket("P1", {"01T06:00 open,\"kind\":\"request\""}, "", "c") +
                                     Ticket("P1", {"01T06:00 open"}, "", "d"))
                            .Of("2026-06");
  std::string rows;
  for (const TicketFigures& row : report.tickets) {
    rows += row.municipality + row.kind + row.priority + " ";
  }
  EXPECT_EQ(rows, "mincidentP1 mincidentP3 mrequestP1 nincidentP2 ");
}

}  // namespace
}  // namespace oppetid::collector
