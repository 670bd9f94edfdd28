#include "common/instant.h"

#include <gtest/gtest.h>

namespace oppetid {
namespace {

TEST(ParseInstant, ReadsRfc3339) {
  EXPECT_EQ(ToUnixMillis(*ParseInstant("1970-01-01T00:00:00Z")), 0);
  EXPECT_EQ(FormatInstant(*ParseInstant("2026-07-03T12:12:30.5+02:00")),
            "2026-07-03T10:12:30.500Z");
  EXPECT_EQ(FormatInstant(*ParseInstant("2024-02-29T23:59:59.999-00:30")),
            "2024-03-01T00:29:59.999Z");
}

TEST(ParseInstant, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "2026-07-03", "2026-07-03T10:12:30", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.1234Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0200", "2026-01-01T00:00:00Zx",
        "1969-12-31T23:59:59Z", "2026-1-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseInstant(text)) << text;
  }
}

TEST(ParseDuration, ReadsCombinedUnits) {
  EXPECT_EQ(ParseDuration("15s"), Millis(15'000));
  EXPECT_EQ(ParseDuration("1h30m"), Millis(5'400'000));
  EXPECT_EQ(ParseDuration("2d"), Millis(172'800'000));
  EXPECT_EQ(ParseDuration("1w1ms"), Millis(604'800'001));
  EXPECT_EQ(ParseDuration("0s"), Millis(0));
}

TEST(ParseDuration, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "15", "s", "15 s", "-1s", "1m1h", "1s1s", "1y", "99999999999999999999s", "6000w"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(FormatDuration, IsTheInverseOfParsing) {
  for (const int64_t ms :
       {1LL, 999LL, 1'000LL, 61'001LL, 5'400'000LL, 86'400'000LL, 694'861'001LL}) {
    EXPECT_EQ(ParseDuration(FormatDuration(Millis(ms))), Millis(ms));
  }
  EXPECT_EQ(FormatDuration(Millis(5'400'000)), "1h30m");
  EXPECT_EQ(FormatDuration(Millis(0)), "0s");
}

}  // namespace
}  // namespace oppetid
