// The real agent and its real commands: exit codes, what is said, and that a restart forgets
// nothing. Only the collector is missing, which nothing here waits for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "common/file.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr Millis kPatience{120'000};

class ReportCommandTest : public testing::Test {
 protected:
  ReportCommandTest() : state_(directory_.path() + "/state") {
    ::chmod(directory_.path().c_str(), 0711);
    const std::string me = std::to_string(::geteuid());
    std::ofstream(directory_.path() + "/agent.yaml")
        << "collector: [\"127.0.0.1:1\"]\nstate: " << state_ << "\nchecks:\n"
        << "  - {name: raid, sensor: report, every: 1h, users: [" << me << "]}\n"
        << "  - {name: other, sensor: report, every: 1h, users: [4321]}\n"
        << "  - {name: nightly, sensor: job, max_age: 26h, users: [" << me << "]}\n";
  }

  void StartAgent() {
    auto agent = ChildProcess::Start(
        {Sibling("oppetid-agent"), "run", "--config", directory_.path() + "/agent.yaml"});
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    ASSERT_NE(agent_->AwaitLine("msg=\"started\"", kPatience), "") << agent_->LastLines();
  }

  // The exit code of `oppetid-agent ARGUMENTS`; what it says is in said_.
  int Command(const std::string& arguments) {
    const std::string said = directory_.path() + "/said";
    const int status =
        std::system((Sibling("oppetid-agent") + " " + arguments + " >" + said + " 2>&1").c_str());
    said_ = ReadFile(said).value_or("");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string There() const { return " --agent-state " + state_; }

  TempDir directory_;
  std::string state_;
  std::unique_ptr<ChildProcess> agent_;
  std::string said_;
};

TEST_F(ReportCommandTest, ExitCodesSayHowItWent) {
  StartAgent();
  EXPECT_EQ(Command("report --check raid --state ok --text 'all in place'" + There()), 0) << said_;
  EXPECT_EQ(said_, "");
  // A script's words are often those of another program, in an encoding of its own.
  EXPECT_EQ(
      Command("report --check raid --state warning --text \"$(printf 'p\\345 feil\\nmore')\"" +
              There()),
      0)
      << said_;
  EXPECT_EQ(Command("report-backup --job nightly --state start" + There()), 0) << said_;
  EXPECT_EQ(Command("report-backup --job nightly --state success --bytes 7340032 --files 12 "
                    "--socket " +
                    state_ + "/report.sock"),
            0)
      << said_;
  EXPECT_EQ(
      Command("report-backup --job nightly --kind check --depth data --exit-code 1" + There()), 0)
      << said_;

  EXPECT_EQ(Command("report --check other --state ok" + There()), 1);
  EXPECT_THAT(said_, HasSubstr("may not report `other`"));
  EXPECT_EQ(Command("report --check none --state ok" + There()), 1);
  EXPECT_THAT(said_, StartsWith("refused: there is no check `none`"));
  EXPECT_EQ(Command("report --check raid --state ok --socket " + state_ + "/none"), 1);
  EXPECT_THAT(said_, StartsWith("cannot reach the agent at "));

  for (const char* wrong : {"report --check raid", "report --check raid --state fine",
                            "report --check 'a b' --state ok", "report-backup --job nightly",
                            "report-backup --job nightly --state done",
                            "report-backup --job nightly --state success --exit-code 1",
                            "report-backup --job nightly --state start --kind check",
                            "report-backup --job nightly --state success --bytes many",
                            "report --check raid --state ok --socket a --agent-state b"}) {
    EXPECT_EQ(Command(wrong), 2) << wrong;
    EXPECT_NE(said_, "") << wrong;
  }
}

TEST_F(ReportCommandTest, ARunGoesOnOverARestart) {
  StartAgent();
  EXPECT_EQ(Command("report-backup --job nightly --state start" + There()), 0) << said_;
  EXPECT_EQ(agent_->Stop(), 0);
  EXPECT_EQ(Command("report-backup --job nightly --state success" + There()), 1);
  EXPECT_THAT(said_, StartsWith("cannot reach the agent at "));
  StartAgent();
  EXPECT_EQ(Command("report-backup --job nightly --state success" + There()), 0) << said_;
  const auto kept = ReadFile(state_ + "/reports/job.nightly");
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_THAT(*kept, HasSubstr("\"start_known\":true"));
}

TEST_F(ReportCommandTest, OthersReachTheSocketButNotTheRest) {
  StartAgent();
  struct stat info {};
  ASSERT_EQ(::stat((state_ + "/report.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666U);
  for (const char* closed : {"/spool", "/reports"}) {
    ASSERT_EQ(::stat((state_ + closed).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0077, 0U) << closed;
  }
}

}  // namespace
}  // namespace oppetid::agent
