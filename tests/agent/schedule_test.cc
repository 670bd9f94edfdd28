#include "agent/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Millis kEvery{15'000};
const Instant kWall = FromUnixMillis(1'782'900'000'123);
const Steady kNow{std::chrono::hours(5)};

// The instants from `kNow` on at which the only check of `schedule` is due.
std::vector<Millis> DueTimes(Schedule& schedule, size_t count) {
  std::vector<Millis> times;
  while (times.size() < count) {
    const Steady next = schedule.Next();
    EXPECT_THAT(schedule.TakeDue(next - Millis(1)), IsEmpty());
    EXPECT_THAT(schedule.TakeDue(next), ElementsAre(0));
    times.push_back(std::chrono::duration_cast<Millis>(next - kNow));
  }
  return times;
}

// The offset within the period, on the wall clock, that a check settles into.
int64_t OffsetOf(const std::string& host, const std::string& check, Instant wall) {
  Schedule schedule(host);
  schedule.Add(check, kEvery, wall, kNow);
  const Millis second = DueTimes(schedule, 2)[1];
  return ToUnixMillis(wall + second) % kEvery.count();
}

TEST(ScheduleTest, ACheckKeepsItsOffsetWhateverTheStart) {
  const int64_t offset = OffsetOf("server-1", "portal", kWall);
  for (int64_t later : {1LL, 977LL, 14'999LL, 86'400'000LL}) {
    EXPECT_EQ(OffsetOf("server-1", "portal", kWall + Millis(later)), offset) << later;
  }
}

TEST(ScheduleTest, AnUpgradeDoesNotMoveTheOffsets) {
  // Pinned: a change of the hash would move every fleet.
  EXPECT_EQ(OffsetOf("server-1", "portal", kWall), 10'968);
  EXPECT_EQ(OffsetOf("server-2", "portal", kWall), 12'218);
}

TEST(ScheduleTest, AFleetIsSpreadOverThePeriod) {
  constexpr int kHosts = 1'500, kSlots = 15;
  std::vector<int> slots(kSlots);
  for (int host = 0; host < kHosts; ++host) {
    const int64_t offset = OffsetOf("server-" + std::to_string(host), "host", kWall);
    ++slots[static_cast<size_t>(offset * kSlots / kEvery.count())];
  }
  // 100 expected in each; six standard deviations are 58.
  EXPECT_GT(*std::min_element(slots.begin(), slots.end()), 42);
  EXPECT_LT(*std::max_element(slots.begin(), slots.end()), 158);
}

TEST(ScheduleTest, TheChecksOfOneHostAreSpreadToo) {
  std::vector<int64_t> offsets;
  for (int check = 0; check < 50; ++check) {
    offsets.push_back(OffsetOf("server-1", "check-" + std::to_string(check), kWall));
  }
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  EXPECT_GT(offsets.size(), 45u);
}

TEST(ScheduleTest, TheFirstAttemptComesSoonWhateverThePeriod) {
  for (const Millis every : {Millis(100), kEvery, Millis(31LL * 86'400'000)}) {
    for (int host = 0; host < 200; ++host) {
      Schedule schedule("server-" + std::to_string(host));
      schedule.Add("backup", every, kWall, kNow);
      EXPECT_GE(schedule.Next(), kNow);
      EXPECT_LE(schedule.Next(), kNow + std::min(Schedule::kFirstWithin, every));
    }
  }
}

TEST(ScheduleTest, TheTurnsAfterTheSecondAreOnePeriodApart) {
  Schedule schedule("server-1");
  schedule.Add("portal", kEvery, kWall, kNow);
  const auto times = DueTimes(schedule, 6);
  EXPECT_LE(times[1], kEvery);
  for (size_t i = 2; i < times.size(); ++i) EXPECT_EQ(times[i] - times[i - 1], kEvery);
}

TEST(ScheduleTest, MissedTurnsAreSkipped) {
  Schedule schedule("server-1");
  schedule.Add("portal", kEvery, kWall, kNow);
  const Millis turn = DueTimes(schedule, 3)[2];
  const Steady late = kNow + turn + 1'000 * kEvery + Millis(7);
  EXPECT_THAT(schedule.TakeDue(late), ElementsAre(0));
  EXPECT_THAT(schedule.TakeDue(late), IsEmpty());
  EXPECT_EQ(schedule.Next(), kNow + turn + 1'001 * kEvery) << "the offset is kept";
}

TEST(ScheduleTest, WithoutChecksNothingIsEverDue) {
  Schedule schedule("server-1");
  EXPECT_EQ(schedule.Next(), Steady::max());
  EXPECT_THAT(schedule.TakeDue(kNow + std::chrono::hours(1)), IsEmpty());
}

TEST(ScheduleTest, AtRandomTicksEachCheckIsDueOncePerPeriod) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Schedule schedule("server-" + std::to_string(seed));
    const std::vector<Millis> periods = {Millis(1'000), Millis(5'000), kEvery, Millis(60'000)};
    const Instant wall = kWall + Millis(static_cast<int64_t>(random() % 1'000'000));
    std::vector<std::vector<Steady>> due(periods.size());
    for (size_t i = 0; i < periods.size(); ++i) {
      schedule.Add("check-" + std::to_string(i), periods[i], wall, kNow);
    }
    constexpr Millis kLongestTick{400};
    Steady now = kNow;
    while (now < kNow + Millis(600'000)) {
      for (const size_t i : schedule.TakeDue(now)) due[i].push_back(now);
      now += Millis(static_cast<int64_t>(random() % static_cast<uint64_t>(kLongestTick.count())));
    }
    for (const size_t i : schedule.TakeDue(kNow + Millis(600'000))) due[i].push_back(now);
    for (size_t i = 0; i < periods.size(); ++i) {
      const auto expected = static_cast<size_t>(Millis(600'000) / periods[i]);
      EXPECT_GE(due[i].size(), expected);
      EXPECT_LE(due[i].size(), expected + 1) << "the early first attempt is the only extra one";
      for (size_t k = 2; k < due[i].size(); ++k) {
        EXPECT_LT(due[i][k] - due[i][k - 1], periods[i] + kLongestTick);
        EXPECT_GT(due[i][k] - due[i][k - 1], periods[i] - kLongestTick);
      }
    }
  }
}

}  // namespace
}  // namespace oppetid::agent
