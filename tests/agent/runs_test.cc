#include "agent/runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace oppetid::agent {
namespace {

constexpr Millis kValidFor{60'000};

Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }

void Observe(Runs& runs, State state, int64_t at, Millis valid_for = kValidFor) {
  runs.Observe("portal", {state, At(at), At(at)}, valid_for);
}

void ExpectRun(const Run& run, State state, int64_t since, int64_t last) {
  EXPECT_EQ(run.state, state);
  EXPECT_EQ(run.since, At(since));
  EXPECT_EQ(run.last, At(last));
}

TEST(RunsTest, ObservationsOfOneStateMakeOneRun) {
  Runs runs;
  for (const int64_t at : {0, 15, 30}) Observe(runs, State::kOk, at);
  EXPECT_TRUE(runs.TakeClosed().empty());
  ExpectRun(runs.open().at("portal"), State::kOk, 0, 30);
  EXPECT_EQ(runs.open().at("portal").valid_for, kValidFor);
}

TEST(RunsTest, AChangeClosesTheRunAtItsLastObservation) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  Observe(runs, State::kOk, 15);
  runs.Observe("portal", {State::kCritical, At(30), At(33)}, kValidFor);
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].check, "portal");
  EXPECT_EQ(closed[0].reason, EndReason::kChanged);
  ExpectRun(closed[0].run, State::kOk, 0, 15);
  ExpectRun(runs.open().at("portal"), State::kCritical, 30, 33);
  EXPECT_TRUE(runs.TakeClosed().empty()) << "taken once";
}

TEST(RunsTest, AChangeOfValidForClosesTheRun) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  Observe(runs, State::kOk, 15, 2 * kValidFor);
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].reason, EndReason::kChanged);
  EXPECT_EQ(closed[0].run.valid_for, kValidFor);
  EXPECT_EQ(runs.open().at("portal").valid_for, 2 * kValidFor);
}

TEST(RunsTest, SilenceClosesTheRunOnceItHoldsNoMore) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  runs.Expire(At(60));
  EXPECT_TRUE(runs.TakeClosed().empty()) << "it holds up to and with valid_for";
  runs.Expire(At(60) + Millis(1));
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].reason, EndReason::kSilent);
  ExpectRun(closed[0].run, State::kOk, 0, 0);
  EXPECT_TRUE(runs.open().empty());
}

TEST(RunsTest, SilenceBreaksARunEvenIfNobodyLookedInBetween) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  Observe(runs, State::kOk, 61);
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].reason, EndReason::kSilent);
  ExpectRun(runs.open().at("portal"), State::kOk, 61, 61);
}

TEST(RunsTest, SilenceOfOneCheckDoesNotTouchAnother) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  runs.Observe("backup", {State::kOk, At(0), At(0)}, Millis(86'400'000));
  runs.Expire(At(3'600));
  ASSERT_EQ(runs.open().size(), 1u);
  EXPECT_EQ(runs.open().begin()->first, "backup");
}

TEST(RunsTest, ASlewedClockDoesNotTurnARunBack) {
  Runs runs;
  Observe(runs, State::kOk, 10);
  runs.Observe("portal", {State::kOk, At(9), At(9)}, kValidFor);
  ExpectRun(runs.open().at("portal"), State::kOk, 10, 10);
  runs.Observe("portal", {State::kWarning, At(9), At(9)}, kValidFor);
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 1u);
  ExpectRun(closed[0].run, State::kOk, 10, 10);
  ExpectRun(runs.open().at("portal"), State::kWarning, 10, 10);
}

TEST(RunsTest, AllAreClosedAsTheyStandWithTheReasonGiven) {
  Runs runs;
  Observe(runs, State::kOk, 0);
  runs.Observe("ssh", {State::kCritical, At(2), At(5)}, kValidFor);
  runs.CloseAll(EndReason::kClockStep);
  const auto closed = runs.TakeClosed();
  ASSERT_EQ(closed.size(), 2u);
  for (const ClosedRun& run : closed) EXPECT_EQ(run.reason, EndReason::kClockStep);
  ExpectRun(closed[1].run, State::kCritical, 2, 5);
  EXPECT_TRUE(runs.open().empty());
}

// Whatever is observed, with a clock that is slewed backwards by less than a second at a time.
TEST(RunsTest, RunsOfOneCheckNeverOverlap) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](int64_t bound) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
    };
    Runs runs;
    std::vector<ClosedRun> all;
    const auto take = [&] {
      for (const ClosedRun& closed : runs.TakeClosed()) all.push_back(closed);
    };
    Instant now = At(1'000'000);
    for (int i = 0; i < 300; ++i) {
      now += Millis(below(20) == 0 ? below(30'000) : below(3'000) - 900);
      if (below(3) == 0) {
        runs.Expire(now);
      } else {
        const auto state = static_cast<State>(below(4));
        const Millis valid_for(below(10) == 0 ? 9'000 : 8'000);
        runs.Observe("portal", {state, now - Millis(below(4'000)), now}, valid_for);
      }
      take();
    }
    runs.CloseAll(EndReason::kRestart);
    take();
    ASSERT_GT(all.size(), 20u);
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_LE(all[i].run.since, all[i].run.last);
      if (i == 0) continue;
      EXPECT_GE(all[i].run.since, all[i - 1].run.last);
    }
  }
}

}  // namespace
}  // namespace oppetid::agent
