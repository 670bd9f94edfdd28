// What must hold whatever the facts are, over random worlds from seeds.
#include <gtest/gtest.h>

#include <algorithm>

#include "collector/report/json.h"
#include "tests/support/sla_random.h"

namespace oppetid::collector {
namespace {

constexpr uint32_t kWorlds = 3'000;

Report Of(const RandomWorld& world) {
  return ComputeReport(world.catalogue, world.facts, world.request);
}

TEST(Properties, ClassesAddUpToThePeriod) {
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    const RandomWorld world(seed);
    const Report report = Of(world);
    const int64_t period = (report.computed_to - report.period.from).count();
    for (const ServiceRow& row : report.services) {
      const ServiceFigures& its = row.figures;
      ASSERT_EQ(its.period_ms, period) << seed;
      ASSERT_EQ(its.measured.service_time_ms() + its.excluded_ms + its.outside_ms, period) << seed;
      int64_t down = 0;
      for (const Outage& outage : its.outages) down += outage.down_ms;
      ASSERT_EQ(down, its.measured.down_ms) << seed;
      ASSERT_LE(its.longest_down_ms, down) << seed;
    }
    for (const BackupRow& row : report.backups) {
      ASSERT_EQ(row.backup.within_ms + row.backup.over_ms + row.backup.unknown_ms, period) << seed;
    }
  }
}

TEST(Properties, ThePartsOfAPeriodAddUpToTheWhole) {
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const Period whole = world.request.period;
    const Report all = Of(world);
    const LocalDate first = world.catalogue.zone.DateOf(whole.from);
    std::vector<std::array<int64_t, 5>> sums(all.services.size());
    for (LocalDate day = first; world.catalogue.zone.First(day) < whole.to;
         day += std::chrono::days(1)) {
      world.request.period = {"day", world.catalogue.zone.First(day),
                              world.catalogue.zone.First(day + std::chrono::days(1))};
      const Report part = Of(world);
      for (size_t i = 0; i < sums.size(); ++i) {
        const ServiceFigures& its = part.services[i].figures;
        sums[i][0] += its.outside_ms;
        sums[i][1] += its.excluded_ms;
        sums[i][2] += its.measured.up_ms;
        sums[i][3] += its.measured.down_ms;
        sums[i][4] += its.measured.unknown_ms;
      }
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      const ServiceFigures& its = all.services[i].figures;
      const std::array<int64_t, 5> expected = {its.outside_ms, its.excluded_ms, its.measured.up_ms,
                                               its.measured.down_ms, its.measured.unknown_ms};
      ASSERT_EQ(sums[i], expected) << seed;
    }
  }
}

TEST(Properties, TheOrderOfArrivalAndRepetitionNeverMatter) {
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const std::string before = ReportAsJson(Of(world));
    std::mt19937 random(seed);
    for (auto& [check, spans] : world.facts.spans) {
      spans.push_back(spans.front());
      std::shuffle(spans.begin(), spans.end(), random);
    }
    for (auto& [job, runs] : world.facts.backup_runs) {
      runs.push_back(runs.back());
      std::shuffle(runs.begin(), runs.end(), random);
    }
    std::shuffle(world.facts.revocations.begin(), world.facts.revocations.end(), random);
    ASSERT_EQ(ReportAsJson(Of(world)), before) << seed;
  }
}

TEST(Properties, ASplitOfASpanThatOverlapsNoOtherChangesNothing) {
  int splits = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const std::string before = ReportAsJson(Of(world));
    for (auto& [check, spans] : world.facts.spans) {
      const std::vector<Span> all = spans;
      for (size_t i = 0; i < all.size(); ++i) {
        const bool alone = std::none_of(all.begin(), all.end(), [&](const Span& other) {
          return &other != &all[i] && other.from < all[i].to && all[i].from < other.to;
        });
        if (!alone) continue;
        Span second = all[i];
        second.from += (all[i].to - all[i].from) / 3;
        if (second.from == all[i].from) continue;
        spans[i].to = second.from;
        spans.push_back(second);
        ++splits;
      }
    }
    ASSERT_EQ(ReportAsJson(Of(world)), before) << seed;
  }
  EXPECT_GT(splits, 1'000);
}

TEST(Properties, UnknownTimeNeverTurnsABreachIntoMet) {
  int breached = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    for (Service& service : world.catalogue.services) {
      service.unknown = world.OneIn(2) ? UnknownMode::kBounds : UnknownMode::kDown;
      service.longest_down.reset();
    }
    const Report before = Of(world);
    for (int i = 0; i < 5; ++i) {
      Span gap = world.SomeSpan();
      gap.state = State::kUnknown;
      world.facts.spans[world.SomeCheck()].push_back(gap);
    }
    const Report after = Of(world);
    for (size_t i = 0; i < before.services.size(); ++i) {
      if (before.services[i].figures.verdict != Verdict::kBreached) continue;
      ++breached;
      ASSERT_NE(after.services[i].figures.verdict, Verdict::kMet) << seed;
    }
  }
  EXPECT_GT(breached, 1'000);
}

TEST(Properties, ACorrectionAndItsRevocationLeaveNoTrace) {
  int changed = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const std::string before = ReportAsJson(Of(world));
    Correction correction = world.SomeCorrection("new");
    world.facts.corrections["new"] = correction;
    if (ReportAsJson(Of(world)) != before) ++changed;
    const Instant revoked_at =
        world.request.as_known_at ? *world.request.as_known_at : correction.recorded_at;
    world.facts.revocations.push_back({"new", revoked_at, "", ""});
    ASSERT_EQ(ReportAsJson(Of(world)), before) << seed;
  }
  EXPECT_GT(changed, 300);  // it would have shown
}

TEST(Properties, WhatIsRecordedLaterDoesNotChangeWhatWasKnown) {
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    if (!world.request.as_known_at) continue;
    const std::string before = ReportAsJson(Of(world));
    for (int i = 0; i < 5; ++i) {
      Span span = world.SomeSpan();
      span.recorded_at = *world.request.as_known_at + Millis(1);
      world.facts.spans[world.SomeCheck()].push_back(span);
    }
    Correction correction = world.SomeCorrection("new");
    correction.recorded_at = *world.request.as_known_at + Millis(1);
    world.facts.corrections["new"] = correction;
    ASSERT_EQ(ReportAsJson(Of(world)), before) << seed;
  }
}

}  // namespace
}  // namespace oppetid::collector
