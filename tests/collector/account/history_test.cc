// What an export of a period holds, and that it is all that a report of the period needs.
#include "collector/account/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "collector/report/json.h"
#include "tests/support/pretended_ledger.h"
#include "tests/support/sla_files.h"
#include "tests/support/sla_random.h"
#include "tests/support/sla_text.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const Instant kLongAfter = ParseInstant("2030-01-01T00:00:00Z").value();

std::string Export(LedgerReader& reader, const Catalogue* catalogue, Interval period,
                   Instant now = kLongAfter) {
  auto history = History::Read(reader, catalogue, period, now);
  EXPECT_TRUE(history.ok()) << history.status();
  std::string text;
  while (history->Next(&text)) continue;
  return text;
}

// Every fact of a ledger, as lines.
std::string Everything(PretendedLedger& ledger) {
  std::string text;
  for (const StoredSpan& its : ledger.spans) text += SpanJson(its);
  for (const StoredBackupRun& its : ledger.backups) text += BackupRunJson(its);
  Agreements agreements;
  EXPECT_TRUE(TellAll(ledger, agreements).ok());
  for (const auto& [id, its] : agreements.decisions().maintenance) text += MaintenanceJson(its);
  for (const auto& [id, its] : agreements.decisions().corrections) text += CorrectionJson(its);
  for (const auto& its : agreements.decisions().revocations) text += RevocationJson(its);
  return text;
}

TEST(History, AReportFromItIsThatFromTheWholeLedgerAsKnownAtAnyInstant) {
  constexpr uint32_t kWorlds = 2'000;
  size_t left_out = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    // A day of its own in the middle of the facts, and hours that hide nothing of it.
    const LocalDate day =
        world.catalogue.zone.DateOf(world.request.period.from) + std::chrono::days(world.Below(4));
    world.request.period = {"day", world.catalogue.zone.First(day),
                            world.catalogue.zone.First(day + std::chrono::days(1))};
    if (world.OneIn(2)) {
      for (Service& service : world.catalogue.services) service.calendar = "always";
    }
    const Interval period{world.request.period.from, world.request.period.to};
    PretendedLedger ledger(world.facts);
    const std::string catalogue = CatalogueText(world.catalogue);
    const std::string exported = Export(ledger, &world.catalogue, period);
    const std::string whole = Everything(ledger);
    if (exported.size() < whole.size()) ++left_out;
    const SlaFiles of_export(catalogue, exported), of_ledger(catalogue, whole);
    for (int i = 0; i < 6; ++i) {
      world.request.as_known_at = world.SomeInstant();
      if (i == 0) world.request.as_known_at.reset();
      if (i == 1) world.request.as_known_at = period.to;
      ASSERT_EQ(ReportAsJson(of_export.Of(world.request)),
                ReportAsJson(of_ledger.Of(world.request)))
          << seed << " " << i;
    }
  }
  EXPECT_GT(left_out, kWorlds / 2);  // else it would prove nothing
}

// One service that is up when a is, on 1 June 2026, a span a line: "from-to state", hours UTC.
class OneCheck : public testing::Test {
 protected:
  OneCheck() : files_(OneService("up_when: h/a"), "") {}

  static Instant At(int hour) {
    return ParseInstant("2026-06-01T00:00:00Z").value() + std::chrono::hours(hour);
  }
  void Add(int from, int to, State state, const std::string& check = "a", bool late = false) {
    ledger_.spans.push_back(
        {"h", check, state, At(from), At(to), late ? At(1'000) : At(from), false, ""});
  }
  // "check from-to" of each span exported for [from, to).
  std::vector<std::string> Told(int from, int to, Instant now = kLongAfter) {
    std::istringstream lines(Export(ledger_, &files_.catalogue(), {At(from), At(to)}, now));
    std::vector<std::string> told;
    Facts facts;
    Findings findings("history"), none("tickets");
    FactsReader reader(findings, none, facts);
    int number = 0;
    for (std::string line; std::getline(lines, line);) reader.HistoryLine(line, ++number);
    EXPECT_THAT(findings.faults(), IsEmpty());
    for (const auto& [check, spans] : facts.spans) {
      for (const Span& its : spans) {
        told.push_back(absl::StrCat(check, " ", (its.from - At(0)) / std::chrono::hours(1), "-",
                                    (its.to - At(0)) / std::chrono::hours(1)));
      }
    }
    return told;
  }

  SlaFiles files_;
  PretendedLedger ledger_;
};

TEST_F(OneCheck, WhatTouchesThePeriodIsUncut) {
  Add(0, 10, State::kOk);
  Add(10, 20, State::kOk);
  Add(20, 30, State::kOk);
  EXPECT_THAT(Told(12, 20), ElementsAre("h/a 10-20"));
  EXPECT_THAT(Told(9, 11), ElementsAre("h/a 0-10", "h/a 10-20"));
}

TEST_F(OneCheck, AnOutageReachesBackToItsBeginningAndOnToItsEnd) {
  Add(0, 10, State::kOk);
  Add(10, 20, State::kCritical);
  Add(20, 30, State::kCritical);
  Add(30, 35, State::kUnknown);
  Add(35, 40, State::kCritical);
  Add(40, 50, State::kOk);
  Add(50, 60, State::kOk);
  EXPECT_THAT(Told(22, 24), ElementsAre("h/a 0-10", "h/a 10-20", "h/a 20-30", "h/a 30-35",
                                        "h/a 35-40", "h/a 40-50"));
  EXPECT_THAT(Told(42, 44), ElementsAre("h/a 40-50"));
}

TEST_F(OneCheck, TheFutureIsNotLookedFor) {
  Add(0, 10, State::kOk);
  Add(10, 20, State::kCritical);
  Add(20, 30, State::kOk);
  EXPECT_THAT(Told(12, 18, At(15)), ElementsAre("h/a 0-10", "h/a 10-20"));
}

TEST_F(OneCheck, WhatWasRecordedLateMakesNothingCertain) {
  Add(0, 10, State::kOk);
  Add(10, 12, State::kCritical);
  Add(12, 14, State::kOk, "a", /*late=*/true);
  Add(14, 30, State::kCritical);
  // As known at an earlier instant there was no ok between, and the outage began at 10.
  EXPECT_THAT(Told(20, 24, At(24)), ElementsAre("h/a 0-10", "h/a 10-12", "h/a 12-14", "h/a 14-30"));
}

TEST_F(OneCheck, ASpanThatTookOverBeforeThePeriodComesAlong) {
  Add(0, 100, State::kCritical);
  Add(10, 20, State::kOk);
  Add(20, 24, State::kOk, "other");
  // At 50 nothing holds: the first span does not come back.
  EXPECT_THAT(Told(50, 60), testing::IsSupersetOf({"h/a 0-100", "h/a 10-20"}));
}

TEST_F(OneCheck, ChecksOfNoServiceComeWithWhatTouches) {
  Add(0, 10, State::kCritical, "b");
  Add(10, 20, State::kCritical, "b");
  EXPECT_THAT(Told(12, 14), ElementsAre("h/b 10-20"));
}

TEST_F(OneCheck, WithoutACatalogueThereIsNoService) {
  Add(0, 10, State::kCritical);
  Add(10, 20, State::kCritical);
  const std::string text = Export(ledger_, nullptr, {At(12), At(14)});
  EXPECT_THAT(text, Not(HasSubstr("2026-06-01T00:00:00.000Z")));
  EXPECT_THAT(text, HasSubstr("2026-06-01T10:00:00.000Z"));
}

TEST_F(OneCheck, BackupsComeFromTheFirstAndTheNewestBefore) {
  for (const int start : {0, 10, 20, 30, 40}) {
    StoredBackupRun run;
    run.host = "h";
    run.job = "nightly";
    run.start = At(start);
    run.end = run.recorded_at = At(start + 1);
    run.success = start != 30;
    ledger_.backups.push_back(run);
  }
  std::vector<std::string> starts;
  std::istringstream lines(Export(ledger_, nullptr, {At(35), At(45)}));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, HasSubstr(R"("job":"h/nightly","kind":"backup")"));
    starts.push_back(line.substr(line.find("\"start\""), 34));
  }
  EXPECT_THAT(starts, ElementsAre(HasSubstr("06-01T00"), HasSubstr("06-01T20"),
                                  HasSubstr("06-02T06"), HasSubstr("06-02T16")));
}

TEST(FactLines, TellSpansAndGaps) {
  const Instant at = ParseInstant("2026-07-03T10:00:00Z").value();
  StoredSpan span{"srv1", "disk", State::kCritical, at, at + Millis(1'500), at, false, ""};
  EXPECT_EQ(SpanJson(span),
            "{\"type\":\"span\",\"check\":\"srv1/disk\",\"from\":\"2026-07-03T10:00:00.000Z\","
            "\"to\":\"2026-07-03T10:00:01.500Z\",\"state\":\"critical\","
            "\"recorded_at\":\"2026-07-03T10:00:00.000Z\"}\n");
  span.gap = true;
  span.state = State::kUnknown;
  span.reason = "lost \"much\"";
  EXPECT_EQ(SpanJson(span),
            "{\"type\":\"span\",\"check\":\"srv1/disk\",\"from\":\"2026-07-03T10:00:00.000Z\","
            "\"to\":\"2026-07-03T10:00:01.500Z\",\"state\":\"unknown\",\"gap\":true,"
            "\"reason\":\"lost \\\"much\\\"\",\"recorded_at\":\"2026-07-03T10:00:00.000Z\"}\n");
}

}  // namespace
}  // namespace oppetid::collector
