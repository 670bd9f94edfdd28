#include <sys/stat.h>

#include "tests/support/backup_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class FilesTest : public BackupFixture {
 protected:
  std::string Config(const std::string& more = "") {
    return "{sensor: files, job: dump, source_host: db01, max_age: 26h, files: '" + dir_.path() +
           "/*.dump'" + (more.empty() ? "" : ", " + more) + "}";
  }
  // A file of so many bytes, changed so long ago.
  void Make(const std::string& name, size_t bytes, const std::string& ago) {
    WriteFile(dir_.path() + "/" + name, std::string(bytes, 'x'));
    ASSERT_EQ(Shell("touch -d '" + ago + " ago' " + dir_.path() + "/" + name), 0);
  }
  using BackupFixture::Make;

  TempDir dir_;
};

TEST_F(FilesTest, TheNewestFileIsTheJobsLastRun) {
  Make("a.dump", 190'000, "26 hours");
  Make("b.dump", 200'000, "2 hours");
  Make("c.txt", 1, "1 hours");
  Make(".hidden.dump", 1, "1 hours");
  ASSERT_EQ(Shell("ln -s b.dump " + dir_.path() + "/latest.dump; mkdir " + dir_.path() + "/d.dump"),
            0);
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(answer.text, "last success began 2h ago, 200.0 kB, 2 kept");
  EXPECT_EQ(Of(answer, "backup_last_size_bytes"), 200'000.0);
  EXPECT_EQ(Of(answer, "backup_snapshots"), 2.0);
  ASSERT_EQ(answer.backup_runs.size(), 2U);
  EXPECT_EQ(answer.backup_runs.back().bytes, 200'000U);
  EXPECT_EQ(AskLater(Config(), hours(25)).state, State::kCritical);
}

TEST_F(FilesTest, NeverEmptyShrunkAndGoneAreStatesOfTheirOwn) {
  const Answer never = Ask(Config());
  EXPECT_EQ(never.state, State::kCritical);
  EXPECT_EQ(never.text, "never backed up");
  Make("a.dump", 100'000, "26 hours");
  Make("b.dump", 40'000, "2 hours");
  EXPECT_EQ(Ask(Config()).state, State::kWarning);
  EXPECT_THAT(Ask(Config()).text, HasSubstr("shrunk to 40.0 kB from 100.0 kB"));
  EXPECT_EQ(Ask(Config("min_size: 41kB")).state, State::kCritical);
  Make("c.dump", 0, "1 hours");
  const Answer empty = Ask(Config());
  EXPECT_EQ(empty.state, State::kCritical);
  EXPECT_THAT(empty.text, HasSubstr("holds 0 B, at least 1 B expected"));
  const Answer gone =
      Ask("{sensor: files, job: j, max_age: 26h, files: '" + dir_.path() + "/not-mounted/*.dump'}");
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, HasSubstr("No such file or directory"));
  EXPECT_EQ(Result(gone), "unknown");
}

TEST_F(FilesTest, WhatIsBeingWrittenIsARunUnderWay) {
  Make("a.dump", 1000, "3 hours");
  WriteFile(dir_.path() + "/b.dump", "half");
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(Result(answer), "running");
  EXPECT_EQ(Of(answer, "backup_last_size_bytes"), 1000.0);
  const Answer later = AskLater(Config(), std::chrono::minutes(2));
  EXPECT_EQ(Result(later), "success");
  EXPECT_EQ(Of(later, "backup_last_size_bytes"), 4.0);
  ASSERT_EQ(Shell("rm " + dir_.path() + "/a.dump"), 0);
  EXPECT_THAT(Ask(Config()).text, HasSubstr("never backed up")) << "it has not ended yet";
}

TEST_F(FilesTest, AFileOfTheFutureDoesNotHideOldOnes) {
  Make("a.dump", 1000, "9 days");
  Make("b.dump", 1000, "-400 days");
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("last success began 9d ago"));
  EXPECT_THAT(answer.text, HasSubstr("1 of the runs lie in the future"));
  EXPECT_EQ(answer.backup_runs.size(), 1U);
}

TEST_F(FilesTest, WhatIsWrittenWhereClocksAreAheadIsARunUnderWayToo) {
  Make("a.dump", 1000, "3 hours");
  Make("b.dump", 4, "-3 minutes");
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(Result(answer), "running");
  EXPECT_EQ(answer.backup_runs.size(), 1U);
}

TEST_F(FilesTest, AFileWrittenOverInPlaceIsANewRun) {
  const std::string file = dir_.path() + "/a.dump";
  WriteFile(file, std::string(1000, 'x'));
  struct stat before {};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  const auto sensor = Make(Config("settled: 0s"));
  const Answer first = Ask(*sensor);
  ASSERT_EQ(first.backup_runs.size(), 1U);
  struct stat after {};
  do {  // a clock of the kernel's ticks
    WriteFile(file, std::string(1100, 'y'));
    ASSERT_EQ(::stat(file.c_str(), &after), 0);
  } while (after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
           after.st_mtim.tv_nsec / 1'000'000 == before.st_mtim.tv_nsec / 1'000'000);
  ASSERT_EQ(before.st_ino, after.st_ino);
  for (int i = 0; i < 2; ++i) {
    const Answer second = Ask(*sensor);
    ASSERT_EQ(second.backup_runs.size(), 1U);
    EXPECT_EQ(second.backup_runs.front().start, second.backup_runs.front().end)
        << "its creation is the start of another run";
    EXPECT_GT(second.backup_runs.front().start, first.backup_runs.front().end);
    EXPECT_EQ(Of(second, "backup_last_duration_seconds"), std::nullopt);
    EXPECT_EQ(second.backup_runs.front().bytes, 1100U);
  }
}

TEST_F(FilesTest, ALinkCountsAsWhatItNamesOnce) {
  ASSERT_EQ(Shell("mkdir " + dir_.path() + "/today"), 0);
  Make("today/a.dump", 2000, "2 hours");
  ASSERT_EQ(Shell("cd " + dir_.path() +
                  "; ln -s today/a.dump latest.dump; ln -s latest.dump "
                  "newest.dump; ln -s nothing gone.dump; ln -s today dir.dump"),
            0);
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(Of(answer, "backup_snapshots"), 1.0);
  EXPECT_EQ(Of(answer, "backup_last_size_bytes"), 2000.0);
}

TEST_F(FilesTest, AFileThatCannotBeToldIsUnknownAndNotMissing) {
  Make("a.dump", 1000, "9 days");
  ASSERT_EQ(Shell("ln -s b.dump " + dir_.path() + "/b.dump"), 0);
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kUnknown) << answer.text;
  EXPECT_EQ(answer.text, "cannot read b.dump: Too many levels of symbolic links");
  EXPECT_EQ(Result(answer), "unknown");
}

TEST_F(FilesTest, RunsGivenAreTheNewestAndBounded) {
  for (int i = 0; i < 40; ++i) {
    Make(std::to_string(i) + ".dump", 1000, std::to_string(i + 1) + " hours");
  }
  const Answer answer = Ask(Config());
  EXPECT_EQ(Of(answer, "backup_snapshots"), 40.0);
  ASSERT_EQ(answer.backup_runs.size(), 32U);
  EXPECT_GT(answer.backup_runs.back().start, clock_.Now() - hours(2));
}

TEST_F(FilesTest, AConfigurationIsReadStrictly) {
  EXPECT_THAT(FaultsOf("{sensor: files, job: j, max_age: 1h, files: '/srv/*/x'}"),
              ElementsAre(HasSubstr("in the last part only")));
  EXPECT_THAT(FaultsOf("{sensor: files, job: j, max_age: 1h, files: '/srv/'}"),
              ElementsAre(HasSubstr("a directory and a pattern")));
  EXPECT_THAT(
      FaultsOf("{sensor: files, job: j, files: '/srv/*', shrunk: 101 %}"),
      testing::UnorderedElementsAre(HasSubstr("`max_age` is missing"), HasSubstr("shrunk")));
}

}  // namespace
}  // namespace oppetid::agent
