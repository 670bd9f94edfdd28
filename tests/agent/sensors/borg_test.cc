// Real repositories made by the real borg.
#include "agent/sensors/borg_output.h"
#include "tests/support/backup_fixture.h"
#include "tests/support/cancel.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kMake[] = R"sh(
umask 077; cd "$DIR"; printf hemmelig >pw; mkdir src cache
head -c 3000000 /dev/urandom >src/big; for i in 1 2 3; do echo "fil $i" >src/f$i; done
create() { borg create --timestamp "$(date -u -d "$2 ago" +%FT%T)" "$1::fil01-$2" src; }
borg init -e repokey-blake2 old 2>/dev/null; create old '9 days'; create old '8 days'
cp -a old fresh; create fresh '26 hours'; create fresh '2 hours'
borg init -e none empty 2>/dev/null
)sh";

class BorgTest : public RepositoryFixture {
 protected:
  static void SetUpTestSuite() {
    RepositoryFixture::SetUpTestSuite();
    ASSERT_EQ(Borg(kMake), 0);
  }

  static int Borg(const std::string& script) {
    return Shell("DIR=" + Dir() +
                 "\nexport BORG_BASE_DIR=$DIR/own BORG_PASSPHRASE=hemmelig "
                 "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes "
                 "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes\n" +
                 script);
  }
  // Each repository gets a cache of its own: copies of one have the same identity.
  static std::string Config(const std::string& repository, const std::string& more = "",
                            const std::string& passphrase = "pw") {
    return "{sensor: borg, job: nightly, source_host: fil01, max_age: 26h, repository: '" + Dir() +
           "/" + repository + "', cache: '" + Dir() + "/cache/" + repository +
           "', passphrase_file: '" + Dir() + "/" + passphrase + "'" +
           (more.empty() ? "" : ", " + more) + "}";
  }
};

TEST_F(BorgTest, AFreshJobIsToldWithItsRecoveryPointInAnyTimeZone) {
  ASSERT_EQ(::setenv("TZ", "Pacific/Auckland", 1), 0);
  const Answer answer = Ask(Config("fresh"));
  ::unsetenv("TZ");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, StartsWith("last success began 2h ago"));
  EXPECT_THAT(answer.text, HasSubstr("3.0 MB, 4 kept"));
  EXPECT_EQ(Of(answer, "backup_snapshots"), 4.0);
  EXPECT_EQ(Of(answer, "backup_last_files"), 4.0);
  EXPECT_GE(Of(answer, "backup_last_duration_seconds"), 0.0);
  ASSERT_EQ(answer.backup_runs.size(), 4U);
  EXPECT_GE(answer.backup_runs.back().bytes, 3'000'000U);
  EXPECT_NEAR(static_cast<double>(ToUnixMillis(answer.backup_runs.back().start)),
              static_cast<double>(ToUnixMillis(clock_.Now()) - 7'200'000), 120'000);
}

TEST_F(BorgTest, OldNeverAndShrunkAreStatesOfTheirOwn) {
  const Answer old = Ask(Config("old", "sizes: false"));
  EXPECT_EQ(old.state, State::kCritical);
  EXPECT_THAT(old.text, HasSubstr("last success began 8d ago (at most 1d2h)"));
  const Answer never = Ask(Config("empty"));
  EXPECT_EQ(never.state, State::kCritical);
  EXPECT_THAT(never.text, HasSubstr("never backed up"));
  EXPECT_EQ(Result(never), "never");
  EXPECT_THAT(Ask(Config("fresh", "match: 'fil02-*'")).text, HasSubstr("never backed up"));

  ASSERT_EQ(Borg("cd $DIR; cp -a fresh shrunk; borg create shrunk::now src/f1"), 0);
  const Answer shrunk = Ask(Config("shrunk"));
  EXPECT_EQ(shrunk.state, State::kCritical);
  EXPECT_THAT(shrunk.text, HasSubstr("shrunk to"));
}

TEST_F(BorgTest, WhatCouldNotBeLookedAtIsUnknown) {
  ASSERT_EQ(Borg("umask 077; printf feil >$DIR/wrong; printf hemmelig >$DIR/open; "
                 "chmod 640 $DIR/open"),
            0);
  const Answer wrong = Ask(Config("fresh", "", "wrong"));
  EXPECT_EQ(wrong.state, State::kUnknown);
  EXPECT_EQ(wrong.text, "wrong passphrase for the repository");
  EXPECT_EQ(Result(wrong), "unknown");
  const Answer gone = Ask(Config("not-mounted"));
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, StartsWith("there is no repository"));
  const Answer open = Ask(Config("fresh", "", "open"));
  EXPECT_EQ(open.state, State::kUnknown);
  EXPECT_THAT(open.text, StartsWith("others may read the secret"));
}

TEST_F(BorgTest, ALockLeftBehindIsSeenAndLetAlone) {
  ASSERT_EQ(Borg("cd $DIR; cp -a fresh locked; mkdir locked/lock.exclusive\n"
                 "touch locked/lock.exclusive/other@1234567.4242-0; "
                 "touch -d '7 hours ago' locked/lock.exclusive"),
            0);
  const Answer stale = Ask(Config("locked", "sizes: false"));
  EXPECT_EQ(stale.state, State::kWarning) << stale.text;
  EXPECT_THAT(stale.text, HasSubstr("a lock is 7h old"));
  EXPECT_EQ(Ask(Config("locked", "sizes: false, lock_warning: 5h, lock_critical: 6h30m")).state,
            State::kCritical);
  EXPECT_EQ(Borg("test -e $DIR/locked/lock.exclusive/other@1234567.4242-0"), 0);
}

TEST_F(BorgTest, ALockLeftBehindByWhoOnlyReadsIsSeen) {
  ASSERT_EQ(Borg(R"sh(
cd $DIR; cp -a fresh shared; mkfifo pipe
borg extract --stdout shared::'fil01-2 hours' >pipe 2>/dev/null & pid=$!
exec 7<pipe
until [ -s shared/lock.roster ] && [ ! -e shared/lock.exclusive ]; do :; done
kill -9 $pid; exec 7<&-; wait $pid || true
touch -d '7 hours ago' shared/lock.roster; test ! -e shared/lock.exclusive
)sh"),
            0);
  const Answer stale = Ask(Config("shared", "sizes: false"));
  EXPECT_EQ(stale.state, State::kWarning) << stale.text;
  EXPECT_THAT(stale.text, HasSubstr("a lock is 7h old"));
}

TEST_F(BorgTest, SizesThatTakeTooLongHideNothingElse) {
  ExpectSlowSizesHideNothingElse("borg", "info", Config("fresh", "program: '" + Dir() + "/slow'"));
}

TEST_F(BorgTest, NothingIsWrittenToARepository) {
  const std::string list = "find $DIR/fresh -printf '%p %s %T@ %C@\\n' | sort >$DIR/list";
  ASSERT_EQ(Borg(list + "; mv $DIR/list $DIR/before"), 0);
  EXPECT_EQ(Ask(Config("fresh")).state, State::kOk);
  EXPECT_EQ(Borg(list + "; cmp $DIR/before $DIR/list"), 0);
}

TEST_F(BorgTest, DamagedDataIsNotForAListToSee) {
  ASSERT_EQ(Borg(R"sh(
cd $DIR; cp -a fresh rotten; f=$(find rotten/data -type f -size +500k | sort | head -n 1)
printf XXXXXXXX | dd of="$f" bs=1 seek=8192 conv=notrunc status=none
! borg check rotten 2>/dev/null
)sh"),
            0);
  EXPECT_EQ(Ask(Config("rotten", "sizes: false")).state, State::kOk);
}

TEST(BorgOutputTest, WhatIsNoListIsNone) {
  EXPECT_THAT(*ParseBorgArchives(R"({"archives": []})"), IsEmpty());
  for (const char* odd : {"", "[]", "{}", R"({"archives": [{}]})",
                          R"({"archives": [{"id": "a", "start": "i går"}]})"}) {
    EXPECT_FALSE(ParseBorgArchives(odd)) << odd;
  }
  const auto archives = ParseBorgArchives(
      R"({"archives": [{"id": "b", "start": "2026-11-21T22:41:49.000000"},)"
      R"({"id": "a", "start": "2026-11-20T10:00:00.250000", "end": "2026-11-20T10:05:00.000000",)"
      R"("duration": 300.0, "stats": {"original_size": 3000140, "nfiles": 28}}]})");
  ASSERT_TRUE(archives);
  EXPECT_EQ(archives->front().id, "a");
  EXPECT_EQ(FormatInstant(archives->front().start), "2026-11-20T10:00:00.250Z");
  EXPECT_EQ(archives->front().files, 28U);
}

TEST(BorgOutputTest, FailuresAreToldApart) {
  EXPECT_EQ(BorgFailure(2, "passphrase supplied in BORG_PASSCOMMAND is incorrect.\n"),
            "wrong passphrase for the repository");
  EXPECT_THAT(BorgFailure(2,
                          "Remote: ssh: connect to host x: Connection refused\n"
                          "Connection closed by remote host. Is borg working on the server?\n"),
              StartsWith("the repository cannot be reached: Connection closed"));
  EXPECT_THAT(BorgFailure(2, "Failed to create/acquire the lock /r/lock.exclusive (timeout).\n"),
              StartsWith("the repository is locked"));
  EXPECT_EQ(BorgFailure(2, ""), "borg failed with exit code 2");
  EXPECT_EQ(BorgFailure(2,
                        "Local Exception\nTraceback (most recent call last):\n  File \"borg\"\n"
                        "OSError: [Errno 28] No space left on device\n\nPlatform: Linux vm\n"
                        "sys.argv: ['/usr/bin/borg', 'info']\nSSH_ORIGINAL_COMMAND: None\n"),
            "borg failed with exit code 2: OSError: [Errno 28] No space left on device");
}

}  // namespace
}  // namespace oppetid::agent
