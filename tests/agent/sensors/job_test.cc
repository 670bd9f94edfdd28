#include "tests/support/reports_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kNightly[] =
    "{name: nightly, sensor: job, users: [4321], max_age: 26h, grace: 6h, source_host: fil01}";

std::optional<double> Of(const Answer& answer, std::string_view family,
                         const std::string& depth = "") {
  for (const Sample& sample : answer.samples) {
    if (sample.family != family) continue;
    if (depth.empty()) return sample.value;
    for (const auto& [name, value] : sample.labels) {
      if (name == "depth" && value == depth) return sample.value;
    }
  }
  return std::nullopt;
}

class JobTest : public ReportsFixture {};

TEST_F(JobTest, ARunIsPairedWithItsStart) {
  Start({kNightly});
  const Answer never = Ask("nightly");
  EXPECT_EQ(never.state, State::kCritical);
  EXPECT_EQ(never.text, "never backed up");
  EXPECT_EQ(Of(never, "backup_last_success_timestamp_seconds"), std::nullopt);

  const Instant start = clock_.Now();
  EXPECT_EQ(Job("start"), "");
  EXPECT_THAT(news_, ElementsAre("nightly"));
  EXPECT_THAT(Ask("nightly").text, HasSubstr("never backed up")) << "it has not ended";
  clock_.Advance(minutes(40));
  EXPECT_EQ(Job("success", R"(,"bytes":734003200,"files":12)"), "");
  const Answer answer = Ask("nightly");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(answer.text, "last success began 40m ago, took 40m, 734.0 MB");
  EXPECT_EQ(Of(answer, "backup_last_duration_seconds"), 2400.0);
  EXPECT_EQ(Of(answer, "backup_last_files"), 12.0);
  ASSERT_EQ(answer.backup_runs.size(), 1U);
  const BackupRun& run = answer.backup_runs.front();
  EXPECT_EQ(run.job, "nightly");
  EXPECT_EQ(run.start, start);
  EXPECT_EQ(run.end, start + minutes(40));
  EXPECT_TRUE(run.success);
  EXPECT_EQ(run.bytes, 734003200U);

  clock_.Advance(hours(26));
  const Answer old = Ask("nightly");
  EXPECT_EQ(old.state, State::kCritical);
  EXPECT_THAT(old.text, HasSubstr("last success began 26h ago (at most 1d2h)"));
}

TEST_F(JobTest, AStartWithoutAnEndIsFailedAfterItsGraceButNoFact) {
  Start({kNightly});
  EXPECT_EQ(Job("success"), "");
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("start"), "");
  clock_.Advance(hours(6));
  EXPECT_EQ(Ask("nightly").state, State::kOk);
  EXPECT_THAT(Ask("nightly").text, HasSubstr("running for 6h"));
  clock_.Advance(Millis(1));
  const Answer hung = Ask("nightly");
  EXPECT_EQ(hung.state, State::kCritical);
  EXPECT_THAT(hung.text, HasSubstr("the last run failed: begun 6h ago, no end"));
  EXPECT_EQ(hung.backup_runs.size(), 1U);
  // It ends after all.
  EXPECT_EQ(Job("success"), "");
  const Answer late = Ask("nightly");
  EXPECT_EQ(late.state, State::kOk);
  ASSERT_EQ(late.backup_runs.size(), 2U);
  EXPECT_TRUE(late.backup_runs.back().success);
  EXPECT_EQ(late.backup_runs.back().end - late.backup_runs.back().start, hours(6) + Millis(1));
}

TEST_F(JobTest, ASecondStartMeansThatTheFirstHasFailed) {
  Start({kNightly});
  EXPECT_EQ(Job("start"), "");
  clock_.Advance(hours(24));
  EXPECT_EQ(Job("start"), "");
  const Answer answer = Ask("nightly");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("the last run failed, no run has succeeded"));
  ASSERT_EQ(answer.backup_runs.size(), 1U);
  EXPECT_FALSE(answer.backup_runs.front().success);
}

TEST_F(JobTest, RunsThatOverlapReachNoFurtherThanTheirStarts) {
  Start({kNightly});
  const Instant first = clock_.Now();
  EXPECT_EQ(Job("start"), "");
  clock_.Advance(hours(4));
  const Instant second = clock_.Now();
  EXPECT_EQ(Job("start"), "");
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("success"), "");
  disk_.Crash();
  Start({kNightly});
  clock_.Advance(hours(4));
  EXPECT_EQ(Job("success"), "");
  const Answer answer = Ask("nightly");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(answer.text, "last success began 5h ago, took 60m");
  for (const BackupRun& run : answer.backup_runs) {
    EXPECT_TRUE(run.start == first || run.start == second);
  }
  // The first of two that overlap may be the one that succeeds.
  EXPECT_EQ(Job("start"), "");
  const Instant third = clock_.Now();
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("start"), "");
  EXPECT_EQ(Job("fail"), "");
  EXPECT_EQ(Job("success"), "");
  EXPECT_EQ(Of(Ask("nightly"), "backup_last_success_timestamp_seconds"),
            static_cast<double>(ToUnixMillis(third) / 1000));
  // A failure is told, whichever run it is of.
  EXPECT_EQ(Job("fail"), "");
  EXPECT_EQ(Ask("nightly").state, State::kCritical);
  // A run that ends in its turn settles what was before it.
  EXPECT_EQ(Job("start"), "");
  EXPECT_EQ(Job("success"), "");
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("success"), "");
  EXPECT_THAT(Ask("nightly").text, StartsWith("last success began 0s ago"));
}

TEST_F(JobTest, ARunThatHoldsNoFilesIsNoBackup) {
  Start({kNightly});
  EXPECT_EQ(Job("success", R"(,"files":0)"), "");
  const Answer answer = Ask("nightly");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_EQ(answer.text, "holds no files");
}

TEST_F(JobTest, AProofOfATimeToComeIsNotYoungUntilThen) {
  const std::vector<std::string> checks = {
      "{name: proof, sensor: job, job: nightly, users: [4321], restore_test_every: 92d}"};
  Start(checks);
  EXPECT_EQ(Job("success", R"(,"kind":"restore_test")"), "");
  // A clock that was years ahead for a while.
  const Instant before = clock_.Now();
  clock_.SetWall(before + hours(24 * 900));
  EXPECT_EQ(Job("success", R"(,"kind":"restore_test")"), "");
  clock_.SetWall(before + hours(24 * 93));
  const Answer answer = Ask("proof");
  EXPECT_EQ(answer.state, State::kWarning) << answer.text;
  EXPECT_THAT(answer.text, StartsWith("last restore test 93d ago"));
  EXPECT_EQ(Job("success", R"(,"kind":"restore_test")"), "");
  EXPECT_THAT(Ask("proof").text, StartsWith("restore test 0s ago"));
}

TEST_F(JobTest, AFailureIsToldWithItsExitCodeAndForgottenAfterASuccess) {
  Start({kNightly});
  EXPECT_EQ(Job("success", R"(,"bytes":1000)"), "");
  clock_.Advance(hours(24));
  EXPECT_EQ(Job("start"), "");
  EXPECT_EQ(Job("fail", R"(,"exit_code":2)"), "");
  const Answer failed = Ask("nightly");
  EXPECT_EQ(failed.state, State::kCritical);
  EXPECT_THAT(failed.text, HasSubstr("the last run failed: exit code 2"));
  EXPECT_EQ(Of(failed, "backup_last_result"), 1.0);
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("success", R"(,"bytes":20)"), "");
  EXPECT_THAT(Ask("nightly").text, HasSubstr("shrunk to 20 B from 1.0 kB"));
  clock_.Advance(hours(1));
  EXPECT_EQ(Job("success", R"(,"bytes":999)"), "");
  EXPECT_EQ(Ask("nightly").state, State::kOk);
}

TEST_F(JobTest, ARestartForgetsNothing) {
  Start({kNightly});
  EXPECT_EQ(Job("success"), "");
  clock_.Advance(hours(20));
  EXPECT_EQ(Job("start"), "");
  disk_.Crash();
  clock_.Advance(hours(2));
  Start({kNightly});
  EXPECT_THAT(Ask("nightly").text, HasSubstr("running for 2h"));
  EXPECT_EQ(Job("success"), "");
  const Answer answer = Ask("nightly");
  ASSERT_EQ(answer.backup_runs.size(), 2U);
  EXPECT_EQ(answer.backup_runs.back().end - answer.backup_runs.back().start, hours(2));
}

TEST_F(JobTest, TheLastSuccessOutlivesAMonthOfFailures) {
  Start({"{name: n, sensor: job, job: nightly, users: [4321], max_age: 26h}"});
  const Instant success = clock_.Now();
  EXPECT_EQ(Job("success"), "");
  for (int i = 0; i < 50; ++i) {
    clock_.Advance(hours(24));
    EXPECT_EQ(Job("fail"), "");
  }
  const Answer answer = Ask("n");
  EXPECT_THAT(answer.text, HasSubstr("last success began 50d ago"));
  EXPECT_EQ(Of(answer, "backup_last_success_timestamp_seconds"),
            static_cast<double>(ToUnixMillis(success) / 1000));
  EXPECT_EQ(answer.backup_runs.size(), kMaxReportedRuns);
}

TEST_F(JobTest, ChecksRestoreTestsAndCopiesAreProofsOfTheirOwn) {
  Start(
      {"{name: proof, sensor: job, job: nightly, users: [4321], check_every: 8d, "
       "data_check_every: 35d, restore_test_every: 92d, offsite_every: 50h}"});
  const Answer none = Ask("proof");
  EXPECT_EQ(none.state, State::kWarning) << "the backup itself is not this check's matter";
  EXPECT_EQ(none.text, "no check yet, no data check yet, no restore test yet, no offsite copy yet");
  EXPECT_EQ(Of(none, "backup_last_result"), std::nullopt);

  EXPECT_EQ(Job("success", R"(,"kind":"check","depth":"metadata")"), "");
  EXPECT_EQ(Job("start", R"(,"kind":"check","depth":"data")"), "");
  EXPECT_EQ(Job("success", R"(,"kind":"check","depth":"data")"), "");
  EXPECT_EQ(Job("success", R"(,"kind":"restore_test")"), "");
  EXPECT_EQ(Job("success", R"(,"kind":"offsite")"), "");
  const Answer all = Ask("proof");
  EXPECT_EQ(all.state, State::kOk) << all.text;
  EXPECT_EQ(Of(all, "backup_repo_check_success", "metadata"), 1.0);
  EXPECT_EQ(Of(all, "backup_repo_check_success", "data"), 1.0);
  EXPECT_EQ(Of(all, "backup_restore_test_success"), 1.0);
  EXPECT_NE(Of(all, "backup_offsite_last_success_timestamp_seconds"), std::nullopt);
  ASSERT_EQ(all.backup_runs.size(), 1U);
  EXPECT_TRUE(all.backup_runs.front().restore_test);

  // Whole by its structure, damaged in its data.
  clock_.Advance(hours(24));
  EXPECT_EQ(Job("success", R"(,"kind":"check","depth":"metadata")"), "");
  EXPECT_EQ(Job("fail", R"(,"kind":"check","depth":"data","exit_code":1)"), "");
  const Answer damaged = Ask("proof");
  EXPECT_EQ(damaged.state, State::kCritical);
  EXPECT_THAT(damaged.text, StartsWith("data check failed 0s ago: exit code 1"));
  EXPECT_EQ(Of(damaged, "backup_repo_check_success", "metadata"), 1.0);
  EXPECT_EQ(Of(damaged, "backup_repo_check_success", "data"), 0.0);

  EXPECT_EQ(Job("success", R"(,"kind":"check","depth":"data")"), "");
  clock_.Advance(hours(24 * 9));
  const Answer old = Ask("proof");
  EXPECT_EQ(old.state, State::kWarning);
  EXPECT_EQ(old.text, "last check 9d ago (at most 1w1d), last offsite copy 10d ago (at most 2d2h)");
}

TEST_F(JobTest, SeveralChecksMayLookAtOneJob) {
  Start({kNightly, "{name: proof, sensor: job, job: nightly, users: [77], check_every: 8d}"});
  EXPECT_EQ(Job("success"), "");
  EXPECT_THAT(news_, ElementsAre("nightly", "proof"));
  EXPECT_EQ(Report(R"({"job":"nightly","state":"success","kind":"check","depth":"metadata"})", 77),
            "");
}

class JobSensorTest : public SensorFixture {};

TEST_F(JobSensorTest, ConfigurationsAreReadStrictly) {
  EXPECT_THAT(FaultsOf("{name: a, sensor: job}"), ElementsAre(HasSubstr("give at least one of")));
  EXPECT_THAT(FaultsOf("{name: a, sensor: job, max_age: 1d, tool: 'a b'}"),
              ElementsAre(HasSubstr("`tool`")));
}

TEST_F(JobSensorTest, WhereNothingTakesReportsNobodyKnows) {
  EXPECT_EQ(Ask("{name: a, sensor: job, max_age: 1d}").state, State::kUnknown);
}

}  // namespace
}  // namespace oppetid::agent
