// Live figures against the calculator, over random worlds from seeds, and their windows.
#include "collector/sla/live.h"

#include <gtest/gtest.h>

#include "tests/support/sla_random.h"

namespace oppetid::collector {
namespace {

constexpr uint32_t kWorlds = 2'000;

// What the calculator says of one window of one row.
ServiceFigures Direct(const RandomWorld& world, size_t row, Instant from, Instant to) {
  ReportRequest request;
  request.period = {"window", from, to};
  return ComputeReport(world.catalogue, world.facts, request).services.at(row).figures;
}

void ExpectEqual(const LiveRow& live, size_t window, const ServiceFigures& direct, uint32_t seed) {
  const Tally& its = live.windows[window];
  ASSERT_EQ(its.measured().up_ms, direct.measured.up_ms) << seed;
  ASSERT_EQ(its.measured().down_ms, direct.measured.down_ms) << seed;
  ASSERT_EQ(its.measured().unknown_ms, direct.measured.unknown_ms) << seed;
  ASSERT_EQ(its.excluded_ms(), direct.excluded_ms) << seed;
  ASSERT_EQ(its.outside_ms(), direct.outside_ms) << seed;
  ASSERT_EQ(its.longest_down_ms(), direct.longest_down_ms) << seed;
  ASSERT_EQ(live.verdicts[window], direct.verdict) << seed;
}

// Wherever the seam between the settled part and the tail lies.
TEST(Live, SettledAndTailAreTheCalculatorsMilliseconds) {
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const Instant now = world.SomeInstant(), at = now - std::chrono::minutes(15 * world.Below(200));
    Facts decisions = world.facts;
    decisions.spans.clear();
    const auto catalogue = std::make_shared<const Catalogue>(world.catalogue);
    const Settled settled = Settle(catalogue, decisions, world.facts.spans, at, now);
    const auto rows = LiveFigures(settled, settled.tail, now);
    size_t index = 0;
    for (const LiveRow& row : rows) {
      for (size_t i = 0; i < kLiveWindows.size(); ++i) {
        if (settled.starts[i] >= now) continue;
        ExpectEqual(row, i, Direct(world, index, settled.starts[i], now), seed);
      }
      ++index;
    }
    ASSERT_GT(index, 0U);
  }
}

// A span that is learnt after settling either leaves the settled part as it was, or is told not to.
TEST(Live, KnowsWhichSpansItCanTakeIntoTheTail) {
  int taken = 0, refused = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const Instant now = world.SomeInstant(), at = now - std::chrono::minutes(15 * world.Below(200));
    Facts decisions = world.facts;
    decisions.spans.clear();
    const auto catalogue = std::make_shared<const Catalogue>(world.catalogue);
    const Settled settled = Settle(catalogue, decisions, world.facts.spans, at, now);
    const std::string check = world.SomeCheck();
    Span span = world.SomeSpan();
    auto& its = world.facts.spans[check];
    if (world.OneIn(3) && !its.empty()) {  // one that is known, grown
      span = its[static_cast<size_t>(world.Below(static_cast<int>(its.size())))];
      span.to += std::chrono::minutes(15 * world.Below(20));
    }
    its.push_back(span);
    if (!LeavesSettled(settled, check, span)) {
      ++refused;
      continue;
    }
    ++taken;
    SpansByCheck tail = settled.tail;
    tail[check].push_back(span);
    const auto rows = LiveFigures(settled, tail, now);
    for (size_t row = 0; row < rows.size(); ++row) {
      if (settled.starts[2] >= now) continue;
      ExpectEqual(rows[row], 2, Direct(world, row, settled.starts[2], now), seed);
    }
  }
  EXPECT_GT(taken, 200);
  EXPECT_GT(refused, 200);
}

Instant Utc(const char* text) { return ParseInstant(text).value(); }

TEST(Live, WindowsBeginAtLocalMidnights) {
  const Zone oslo = Zone::Find("Europe/Oslo").value();
  const auto starts = WindowStarts(Utc("2026-11-22T10:59:59Z"), oslo);
  EXPECT_EQ(FormatInstant(starts[0]), "2026-10-23T10:00:00.000Z");
  EXPECT_EQ(FormatInstant(starts[1]), "2026-10-31T23:00:00.000Z");
  EXPECT_EQ(FormatInstant(starts[2]), "2026-09-30T22:00:00.000Z");
  const auto turn = WindowStarts(Utc("2026-12-31T23:00:00Z"), oslo);
  EXPECT_EQ(FormatInstant(turn[1]), "2026-12-31T23:00:00.000Z");
  EXPECT_EQ(FormatInstant(turn[2]), "2026-12-31T23:00:00.000Z");
}

TEST(Tally, FindsTheLongestDownAcrossTheSeam) {
  Tally a, b, c;
  a.Add(10, TimeClass::kDown);
  a.Add(5, TimeClass::kUp);
  a.Add(7, TimeClass::kDown);
  b.Add(3, TimeClass::kDown);
  b.Add(2, TimeClass::kDown);
  c.Add(1, TimeClass::kDown);
  c.Add(1, TimeClass::kOutside);
  Tally all;
  for (const Tally& part : {a, b, c}) all.Join(part);
  EXPECT_EQ(all.longest_down_ms(), 13);
  EXPECT_EQ(all.measured().down_ms, 23);
  EXPECT_EQ(all.outside_ms(), 1);
}

}  // namespace
}  // namespace oppetid::collector
