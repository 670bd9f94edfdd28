#include "collector/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/views.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StatusJson, TellsEverythingThatIsKnown) {
  ExpectGolden("status.json", StatusJson(*ExampleView(), Reach::All()));
}

TEST(StatusJson, NarrowsToAMunicipality) {
  const std::string json = StatusJson(*ExampleView(), Reach::Of("vik"));
  EXPECT_THAT(json, HasSubstr("srv2"));
  EXPECT_THAT(json, HasSubstr("srv3"));
  EXPECT_THAT(json, Not(HasSubstr("srv1")));
  EXPECT_EQ(StatusJson(*ExampleView(), Reach::Of("nowhere")),
            "{\"at\":\"2026-07-03T10:00:00.000Z\",\n\"agents\":[],\n\"checks\":[]}\n");
}

TEST(StatusJson, TellsSpansAndGaps) {
  StoredSpan span{"srv1", "disk", State::kCritical, kViewAt, kViewAt + Millis(1'500), kViewAt,
                  false,  ""};
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
