#include "agent/sensors/host_updates.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <thread>

#include "common/file.h"

namespace oppetid::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using Knowledge = PendingUpdates::Knowledge;

std::string Captured() {
  return ReadFile(OPPETID_SOURCE_DIR "/tests/testdata/host/dist-upgrade.txt").value_or("");
}

TEST(ParseSimulation, CountsUpdatesByOriginAndNotNewPackages) {
  const UpdateCounts counts = ParseSimulation(Captured());
  EXPECT_EQ(counts.security, 3);
  EXPECT_EQ(counts.other, 2);
}

TEST(ParseSimulation, BearsTruncatedText) {
  const std::string text = Captured();
  for (size_t size = 0; size < text.size(); ++size) {
    const UpdateCounts counts = ParseSimulation(text.substr(0, size));
    EXPECT_LE(counts.security + counts.other, 5);
  }
}

class ManualClock : public Clock {
 public:
  Instant Now() const override { return FromUnixMillis(1'783'000'000'000); }
  Steady SteadyNow() const override { return now; }
  Steady now{seconds(1000)};
};

class PendingUpdatesTest : public testing::Test {
 protected:
  PendingUpdatesTest() {
    EXPECT_NE(::mkdtemp(dir_.data()), nullptr);
    world_.root = dir_;
    for (const char* name :
         {"/var", "/var/lib", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/apt/lists"}) {
      EXPECT_EQ(::mkdir((dir_ + name).c_str(), 0700), 0);
    }
    Write("/var/lib/dpkg/status", 1);
    Write("/var/lib/apt/lists/deb.example_InRelease", 1);
    Touch("/var/lib/apt/lists", 1);
  }
  ~PendingUpdatesTest() override { FinishRunning(); }

  void Write(const std::string& name, int64_t modified) {
    EXPECT_TRUE(ReplaceFile(dir_ + name, "x").ok());
    Touch(name, modified);
  }
  void Touch(const std::string& name, int64_t modified) {
    const timespec times[2] = {{modified, 0}, {modified, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, (dir_ + name).c_str(), times, 0), 0);
  }
  // Lets what was posted to the pool, and back from it, come to its end.
  void FinishRunning() {
    pool_.reset();
    io_.restart();
    io_.run();
    pool_.emplace("test-pool", 1);
  }
  void LookAfter(PendingUpdates& updates, seconds wait) {
    clock_.now += wait;
    updates.Look();
    FinishRunning();
  }

  boost::asio::io_context io_{1};
  // Only the test's thread uses the pool, so it may be made anew in place.
  std::optional<BlockingPool> pool_{std::in_place, "test-pool", 1};
  ManualClock clock_;
  std::string dir_ = testing::TempDir() + "/host_updates_test.XXXXXX";
  World world_{io_.get_executor(), *pool_, clock_, ""};
  std::atomic<int> simulations_ = 0;
  absl::StatusOr<std::string> output_ = Captured();
  SimulateUpgrade simulate_ = [this](const std::atomic<bool>&) {
    ++simulations_;
    return output_;
  };
};

TEST_F(PendingUpdatesTest, SimulatesOnceWhenTheStateHasComeToRest) {
  PendingUpdates updates(world_, simulate_);
  LookAfter(updates, seconds(0));
  EXPECT_EQ(updates.knowledge(), Knowledge::kNotYet);
  LookAfter(updates, seconds(59));
  EXPECT_EQ(simulations_, 0);
  LookAfter(updates, seconds(1));
  EXPECT_EQ(updates.knowledge(), Knowledge::kCounted);
  EXPECT_EQ(updates.counts().security, 3);
  LookAfter(updates, minutes(600));
  EXPECT_EQ(simulations_, 1);
}

TEST_F(PendingUpdatesTest, SimulatesAgainAfterAChangeButNotTooSoon) {
  PendingUpdates updates(world_, simulate_);
  LookAfter(updates, seconds(0));
  LookAfter(updates, seconds(60));
  Touch("/var/lib/apt/lists", 2);
  LookAfter(updates, seconds(1));
  LookAfter(updates, minutes(13));
  EXPECT_EQ(simulations_, 1);
  EXPECT_EQ(updates.knowledge(), Knowledge::kCounted);  // the old count until the new one is there
  output_ = "";
  LookAfter(updates, minutes(2));
  EXPECT_EQ(simulations_, 2);
  EXPECT_EQ(updates.counts().security, 0);
}

TEST_F(PendingUpdatesTest, AFailureIsTriedAgain) {
  output_ = absl::UnavailableError("broken packages");
  PendingUpdates updates(world_, simulate_);
  LookAfter(updates, seconds(0));
  LookAfter(updates, seconds(60));
  EXPECT_EQ(updates.knowledge(), Knowledge::kFailed);
  output_ = Captured();
  LookAfter(updates, minutes(14));
  EXPECT_EQ(simulations_, 1);
  LookAfter(updates, minutes(1));
  EXPECT_EQ(updates.knowledge(), Knowledge::kCounted);
}

TEST_F(PendingUpdatesTest, WithoutPackagesOrListsNothingIsKnown) {
  ASSERT_EQ(::unlink((dir_ + "/var/lib/apt/lists/deb.example_InRelease").c_str()), 0);
  PendingUpdates updates(world_, simulate_);
  LookAfter(updates, seconds(0));
  LookAfter(updates, minutes(60));
  EXPECT_EQ(updates.knowledge(), Knowledge::kNoPackages);
  Write("/var/lib/apt/lists/deb.example_InRelease", 3);
  Touch("/var/lib/apt/lists", 3);
  LookAfter(updates, seconds(1));
  LookAfter(updates, seconds(60));
  EXPECT_EQ(updates.knowledge(), Knowledge::kCounted);
  ASSERT_EQ(::unlink((dir_ + "/var/lib/dpkg/status").c_str()), 0);
  LookAfter(updates, seconds(1));
  EXPECT_EQ(updates.knowledge(), Knowledge::kNoPackages);
}

class ReadOutputTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Run(const std::string& script, Millis deadline = seconds(20)) {
    return ReadOutput({"/bin/sh", "-c", script}, deadline, cancelled_);
  }
  std::atomic<bool> cancelled_ = false;
};

TEST_F(ReadOutputTest, ReturnsWhatIsWritten) {
  EXPECT_EQ(Run("echo $LC_ALL; echo unseen >&2; cat").value_or("failed"), "C\n");
}

TEST_F(ReadOutputTest, HasNothingOfTheAgentsEnvironment) {
  ::setenv("OPPETID_TEST_SECRET", "x", 1);
  EXPECT_EQ(Run("echo \"[$OPPETID_TEST_SECRET]\"").value_or("failed"), "[]\n");
}

TEST_F(ReadOutputTest, TellsHowItFailed) {
  EXPECT_THAT(std::string(Run("exit 3").status().message()), HasSubstr("ended with code 3"));
  EXPECT_THAT(
      std::string(ReadOutput({"/no-such-program"}, seconds(1), cancelled_).status().message()),
      HasSubstr("/no-such-program"));
  EXPECT_EQ(Run("cat /dev/zero").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ReadOutputTest, EndsTheWholeGroupAtTheDeadline) {
  const std::string pid_file = testing::TempDir() + "/read_output." + std::to_string(::getpid());
  const auto output = Run("sleep 600 & echo $! > " + pid_file + "; wait", Millis(1500));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto pid = ReadFile(pid_file);
  ASSERT_TRUE(pid.ok());
  ::unlink(pid_file.c_str());
  // Killed, it may still be a zombie until whoever adopted it has waited for it.
  const std::string stat_file = "/proc/" + std::to_string(std::stol(*pid)) + "/stat";
  const auto is_dead = [&] {
    const auto stat = ReadFile(stat_file);
    return !stat.ok() || stat->find(") Z ") != std::string::npos ||
           stat->find(") X ") != std::string::npos;
  };
  const auto end = std::chrono::steady_clock::now() + seconds(120);
  while (!is_dead() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(is_dead());
}

TEST_F(ReadOutputTest, EndsWhenCancelled) {
  cancelled_ = true;
  EXPECT_EQ(Run("sleep 600").status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace oppetid::agent
