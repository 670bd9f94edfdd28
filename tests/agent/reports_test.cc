#include "tests/support/reports_fixture.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kRaid[] = "{name: raid, sensor: report, users: [4321], every: 1h, grace: 5m}";
constexpr char kNightly[] =
    "{name: nightly, sensor: job, users: [4321], max_age: 26h, grace: 6h, source_host: fil01}";
constexpr char kOk[] = R"({"check":"raid","state":"ok","text":"all in place"})";

class ReportsTest : public ReportsFixture {};

TEST_F(ReportsTest, OnlyWhatTheConfigurationNamesIsTaken) {
  Start({kRaid});
  EXPECT_THAT(Report(kOk, 4322), StartsWith("user 4322 may not report `raid`"));
  EXPECT_THAT(Report(kOk, 0), StartsWith("user 0 may not report `raid`"));
  EXPECT_THAT(Report(R"({"check":"other","state":"ok"})"), StartsWith("there is no check `other`"));
  EXPECT_THAT(Report(R"({"job":"raid","state":"start"})"), HasSubstr("for the job `raid`"));
  EXPECT_THAT(Report("hello"), HasSubstr("no JSON object"));
  EXPECT_THAT(news_, IsEmpty());
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
}

TEST_F(ReportsTest, ReportsAreRateLimited) {
  Start({kRaid});
  for (int i = 0; i < kReportBurst; ++i) EXPECT_EQ(Report(kOk), "") << i;
  EXPECT_THAT(Report(kOk), StartsWith("too many reports of `raid`"));
  EXPECT_EQ(news_.size(), static_cast<size_t>(kReportBurst));
  clock_.Advance(Millis(1'000));
  EXPECT_EQ(Report(kOk), "");
  EXPECT_THAT(Report(kOk), StartsWith("too many reports"));
}

TEST_F(ReportsTest, WhatCannotBeKeptIsNotAccepted) {
  Start({kRaid, kNightly});
  disk_.fail_replace = true;
  EXPECT_THAT(Report(kOk), StartsWith("cannot keep it"));
  EXPECT_THAT(Job("success"), StartsWith("cannot keep it"));
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
  EXPECT_THAT(Ask("nightly").text, HasSubstr("never backed up"));
}

TEST_F(ReportsTest, ADamagedFileBeginsAnew) {
  Start({kRaid, kNightly});
  EXPECT_EQ(Report(kOk), "");
  EXPECT_EQ(Job("success"), "");
  disk_.content("check.raid") = "{\"state\":\"ok";
  disk_.content("job.nightly") = R"({"backup":{"runs":[{"start":"x"}]}})";
  Start({kRaid, kNightly});
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
  EXPECT_THAT(Ask("nightly").text, HasSubstr("never backed up"));
  EXPECT_EQ(Job("success"), "");
  EXPECT_EQ(Ask("nightly").state, State::kOk);
}

}  // namespace
}  // namespace oppetid::agent
