#include "tests/support/reports_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kRaid[] = "{name: raid, sensor: report, users: [4321], every: 1h, grace: 5m}";
constexpr char kOk[] = R"({"check":"raid","state":"ok","text":"all in place"})";

class PassiveTest : public ReportsFixture {};

TEST_F(PassiveTest, TheNewestWordIsTheAnswerAtOnce) {
  Start({kRaid});
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
  EXPECT_EQ(Ask("raid").text, "nothing reported yet");
  EXPECT_EQ(Report(kOk), "");
  EXPECT_THAT(news_, ElementsAre("raid")) << "it is to be asked at once";
  EXPECT_EQ(Ask("raid").state, State::kOk);
  EXPECT_EQ(Ask("raid").text, "all in place");
  EXPECT_EQ(Report(R"({"check":"raid","state":"critical","text":"sdb borte"})"), "");
  EXPECT_EQ(Ask("raid").state, State::kCritical);
  EXPECT_EQ(Ask("raid").text, "sdb borte");
}

TEST_F(PassiveTest, SilenceIsUnknownAndIsHeard) {
  Start({kRaid});
  EXPECT_EQ(Report(kOk), "");
  news_.clear();
  EXPECT_EQ(reports_->TellSilent(), clock_.SteadyNow() + minutes(65));
  clock_.Advance(minutes(65) - Millis(1));
  EXPECT_EQ(Ask("raid").state, State::kOk);
  reports_->TellSilent();
  EXPECT_THAT(news_, IsEmpty());
  clock_.Advance(Millis(1));
  EXPECT_EQ(reports_->TellSilent(), std::nullopt);
  EXPECT_THAT(news_, ElementsAre("raid")) << "it is to be asked at once";
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
  EXPECT_EQ(Ask("raid").text, "nothing reported for 65m (expected every 1h)");
  reports_->TellSilent();
  EXPECT_EQ(news_.size(), 1U) << "once";
}

TEST_F(PassiveTest, SettingTheClockMovesNoSilence) {
  Start({kRaid});
  EXPECT_EQ(Report(kOk), "");
  clock_.SetWall(clock_.Now() + hours(1000));
  EXPECT_EQ(Ask("raid").state, State::kOk);
  clock_.SetWall(clock_.Now() - hours(9000));
  clock_.Advance(minutes(66));
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
}

TEST_F(PassiveTest, ARestartKeepsTheWordAndItsAge) {
  Start({kRaid});
  EXPECT_EQ(Report(kOk), "");
  clock_.Advance(minutes(40));
  disk_.Crash();
  Start({kRaid});
  EXPECT_EQ(Ask("raid").state, State::kOk);
  clock_.Advance(minutes(25));
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
  // A report of a time to come is of a clock that was set back since: its age is not known.
  EXPECT_EQ(Report(kOk), "");
  clock_.SetWall(clock_.Now() - hours(2));
  Start({kRaid});
  EXPECT_EQ(Ask("raid").state, State::kUnknown);
}

class ReportSensorTest : public SensorFixture {};

TEST_F(ReportSensorTest, ConfigurationsAreReadStrictly) {
  EXPECT_THAT(FaultsOf("{name: a, sensor: report}"), ElementsAre(HasSubstr("`every` is missing")));
  EXPECT_THAT(FaultsOf("{name: a, sensor: report, every: 1h, users: [no-such-user-here]}"),
              ElementsAre(HasSubstr("there is no user `no-such-user-here` here")));
  EXPECT_THAT(FaultsOf("{name: a, sensor: report, every: 1h, users: [root, 1000]}"), IsEmpty());
}

TEST_F(ReportSensorTest, WhereNothingTakesReportsNobodyKnows) {
  EXPECT_EQ(Ask("{name: a, sensor: report, every: 1h}").state, State::kUnknown);
}

}  // namespace
}  // namespace oppetid::agent
