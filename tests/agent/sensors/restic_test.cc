// Real repositories made by the real restic.
#include <boost/asio/ip/tcp.hpp>

#include "agent/sensors/restic_output.h"
#include "tests/support/backup_fixture.h"
#include "tests/support/cancel.h"
#include "tests/support/loopback_server.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kMake[] = R"sh(
umask 077; cd "$DIR"; printf hemmelig >pw; mkdir src
head -c 3000000 /dev/urandom >src/big; for i in 1 2 3; do echo "fil $i" >src/f$i; done
export RESTIC_PASSWORD_FILE=$DIR/pw RESTIC_CACHE_DIR=$DIR/cache
backup() { restic -q -r "$1" backup --host fil01 --time "$(date -d "$2 ago" '+%F %T')" src; }
restic -q -r old init; backup old '9 days'; echo mer >src/f4; backup old '8 days'
cp -a old fresh; backup fresh '26 hours'; backup fresh '2 hours'
restic -q -r empty init
)sh";

class ResticTest : public RepositoryFixture {
 protected:
  static void SetUpTestSuite() {
    RepositoryFixture::SetUpTestSuite();
    ASSERT_EQ(Sh(kMake), 0);
  }

  static int Sh(const std::string& script) { return Shell("DIR=" + Dir() + "\n" + script); }
  // With restic's own environment.
  static int Restic(const std::string& script) {
    return Sh("export RESTIC_PASSWORD_FILE=$DIR/pw RESTIC_CACHE_DIR=$DIR/cache; cd $DIR\n" +
              script);
  }
  static std::string Config(const std::string& repository, const std::string& more = "") {
    return "{sensor: restic, job: nightly, source_host: fil01, max_age: 26h, password_file: '" +
           Dir() + "/pw', repository: '" + Dir() + "/" + repository + "'" +
           (more.empty() ? "" : ", " + more) + "}";
  }

  // Without the sizes, which cost a restic for each snapshot.
  static std::string Cheap(const std::string& repository, const std::string& more = "") {
    return Config(repository, "sizes: false" + (more.empty() ? "" : ", " + more));
  }
};

const Labels kLabels = {{"job", "nightly"}, {"source_host", "fil01"}, {"tool", "restic"}};

TEST_F(ResticTest, AFreshJobIsToldWithItsRecoveryPoint) {
  const Answer answer = Ask(Config("fresh"));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, StartsWith("last success began 2h ago"));
  EXPECT_THAT(answer.text, HasSubstr("3.0 MB, 4 kept"));
  const double two_hours_ago = static_cast<double>(ToUnixMillis(clock_.Now()) / 1000 - 7200);
  const auto success = Value(answer, "backup_last_success_timestamp_seconds", kLabels);
  ASSERT_TRUE(success);
  EXPECT_NEAR(*success, two_hours_ago, 120);
  EXPECT_EQ(Result(answer), "success");
  EXPECT_EQ(Value(answer, "backup_snapshots", kLabels), 4.0);
  EXPECT_GE(Value(answer, "backup_last_size_bytes", kLabels), 3'000'000.0);
  EXPECT_GE(Value(answer, "backup_last_files", kLabels), 5.0);
  EXPECT_EQ(Of(answer, "backup_repo_lock_age_seconds"), std::nullopt);
  ASSERT_EQ(answer.backup_runs.size(), 4U);
  for (const BackupRun& run : answer.backup_runs) {
    EXPECT_EQ(run.job, "nightly");
    EXPECT_TRUE(run.success);
    EXPECT_FALSE(run.restore_test);
    EXPECT_GE(run.end, run.start);
    EXPECT_GE(run.bytes, 3'000'000U);
  }
  EXPECT_NEAR(static_cast<double>(ToUnixMillis(answer.backup_runs.back().start)) / 1000,
              two_hours_ago, 120);
}

TEST_F(ResticTest, OldNeverAndShrunkAreStatesOfTheirOwn) {
  const Answer old = Ask(Cheap("old"));
  EXPECT_EQ(old.state, State::kCritical);
  EXPECT_THAT(old.text, HasSubstr("last success began 8d ago (at most 1d2h)"));
  EXPECT_EQ(Result(old), "success");

  const Answer never = Ask(Cheap("empty"));
  EXPECT_EQ(never.state, State::kCritical);
  EXPECT_THAT(never.text, HasSubstr("never backed up"));
  EXPECT_EQ(Result(never), "never");
  EXPECT_EQ(Of(never, "backup_last_success_timestamp_seconds"), std::nullopt);
  const Answer other = Ask(Cheap("fresh", "host: fil02"));
  EXPECT_THAT(other.text, HasSubstr("never backed up")) << "the job of another host";

  EXPECT_EQ(Ask(Cheap("fresh", "warning_age: 1h")).state, State::kWarning);
  const Answer late = AskLater(Cheap("fresh"), hours(30));
  EXPECT_EQ(late.state, State::kCritical);

  ASSERT_EQ(Restic("cp -a fresh shrunk; mkdir keep; mv src/* keep; echo 1 >src/f1\n"
                   "restic -q -r shrunk backup --host fil01 src; mv keep/* src"),
            0);
  const Answer shrunk = Ask(Config("shrunk"));
  EXPECT_EQ(shrunk.state, State::kCritical);
  EXPECT_THAT(shrunk.text, HasSubstr("shrunk to 2 B from 3.0 MB"));
  EXPECT_GE(Of(shrunk, "backup_last_duration_seconds"), 0.0)
      << "the end of a run of today is known";
  EXPECT_EQ(Ask(Config("fresh", "min_size: 1GB")).state, State::kCritical);
}

TEST_F(ResticTest, WhatCouldNotBeLookedAtIsUnknown) {
  ASSERT_EQ(Sh("umask 077; printf feil >$DIR/wrong; printf hemmelig >$DIR/open; "
               "chmod 644 $DIR/open"),
            0);
  const auto with = [&](const std::string& password, const std::string& repository) {
    return Ask("{sensor: restic, job: j, max_age: 26h, password_file: '" + Dir() + "/" + password +
               "', repository: '" + repository + "'}");
  };
  const Answer wrong = with("wrong", Dir() + "/fresh");
  EXPECT_EQ(wrong.state, State::kUnknown);
  EXPECT_EQ(wrong.text, "wrong password for the repository");
  EXPECT_EQ(Result(wrong), "unknown");
  EXPECT_THAT(wrong.backup_runs, IsEmpty());

  const Answer gone = with("pw", Dir() + "/not-mounted");
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, StartsWith("there is no repository: unable to open config file"));

  const Answer open = with("open", Dir() + "/fresh");
  EXPECT_EQ(open.state, State::kUnknown);
  EXPECT_THAT(open.text, StartsWith("others may read the secret"));
  const Answer missing = with("none", Dir() + "/fresh");
  EXPECT_EQ(missing.state, State::kUnknown);
  EXPECT_THAT(missing.text, HasSubstr("No such file"));
  EXPECT_EQ(Ask(Config("fresh", "program: /no/such/restic")).state, State::kUnknown);
}

TEST_F(ResticTest, AServerThatNeverAnswersIsLeftAtTheDeadline) {
  using boost::asio::ip::tcp;
  tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
  tcp::socket caller(io_);
  bool called = false;
  silent.async_accept(caller, [&](boost::system::error_code) { called = true; });
  const auto sensor = Make("{sensor: restic, job: j, max_age: 26h, password_file: '" + Dir() +
                           "/pw', repository: 'rest:http://127.0.0.1:" +
                           std::to_string(silent.local_endpoint().port()) + "/'}");
  EXPECT_EQ(sensor->StateWhenLate(), State::kUnknown);
  ExpectEndsWhenCancelled(io_, *sensor, [&] { return called; });
}

TEST_F(ResticTest, ALockLeftBehindIsSeenAndLetAlone) {
  ASSERT_EQ(Restic(R"sh(
cp -a fresh locked; mkfifo pipe
restic -q -r locked backup --host fil01 --stdin <pipe >/dev/null 2>&1 & pid=$!
exec 7>pipe
while ! ls locked/locks | grep -qv tmp; do :; done
kill -9 $pid; exec 7>&-; wait $pid || true
)sh"),
            0);
  const Answer young = Ask(Cheap("locked"));
  EXPECT_EQ(young.state, State::kOk) << young.text;
  EXPECT_GE(Of(young, "backup_repo_lock_age_seconds"), 0.0);
  const Answer stale = AskLater(Cheap("locked"), hours(7));
  EXPECT_EQ(stale.state, State::kWarning);
  EXPECT_THAT(stale.text, HasSubstr("a lock is 7h old"));
  EXPECT_EQ(AskLater(Cheap("locked", "lock_critical: 6h30m"), hours(7)).state, State::kCritical);
  EXPECT_EQ(Sh("ls $DIR/locked/locks | grep -q ."), 0) << "the lock is the operator's to remove";
}

TEST_F(ResticTest, NothingIsWrittenToARepository) {
  const std::string list = "find $DIR/fresh -printf '%p %s %T@ %C@\\n' | sort >$DIR/list";
  ASSERT_EQ(Sh(list + "; mv $DIR/list $DIR/before"), 0);
  EXPECT_EQ(Ask(Config("fresh")).state, State::kOk);
  EXPECT_EQ(Sh(list + "; cmp $DIR/before $DIR/list"), 0);
}

TEST_F(ResticTest, DamagedDataIsNotForASnapshotListToSee) {
  ASSERT_EQ(Restic(R"sh(
cp -a fresh rotten; chmod -R u+w rotten
f=$(find rotten/data -type f -size +500k | sort | head -n 1)
printf XXXXXXXX | dd of="$f" bs=1 seek=4096 conv=notrunc status=none
restic -q -r rotten --no-lock check >/dev/null 2>&1
! restic -q -r rotten --no-lock check --read-data >/dev/null 2>&1
)sh"),
            0)
      << "the shallow check passes, the deep one does not";
  EXPECT_EQ(Ask(Cheap("rotten")).state, State::kOk) << "fresh, which is all that is said";
  ASSERT_EQ(Restic("cp -a fresh noindex; chmod -R u+w noindex; rm noindex/index/*"), 0);
  const Answer no_index = Ask(Config("noindex"));
  EXPECT_EQ(no_index.state, State::kUnknown) << "its size cannot be known";
  EXPECT_THAT(no_index.text, HasSubstr("size: restic failed"));
}

TEST_F(ResticTest, ASnapshotThatCannotBeReadMightBeTheNewest) {
  // restic leaves it out and ends with 0.
  ASSERT_EQ(Restic("cp -a fresh unread; chmod -R u+w unread; f=$(ls -t unread/snapshots/* | head "
                   "-n 1); printf XX | dd of=$f bs=1 seek=40 conv=notrunc status=none\n"
                   "restic -q -r unread --no-lock snapshots >/dev/null 2>&1"),
            0);
  const Answer answer = Ask(Cheap("unread"));
  EXPECT_EQ(answer.state, State::kUnknown) << answer.text;
  EXPECT_THAT(answer.text, StartsWith("not every snapshot can be read: could not load snapshot"));
  EXPECT_EQ(Result(answer), "unknown");
  EXPECT_THAT(answer.backup_runs, IsEmpty());
}

TEST_F(ResticTest, ASizeThatTakesTooLongHidesNothingElse) {
  ExpectSlowSizesHideNothingElse("restic", "stats",
                                 Config("fresh", "program: '" + Dir() + "/slow'"));
}

TEST_F(ResticTest, SecretsStayInTheirFiles) {
  WriteFile(Dir() + "/spy", "#!/bin/sh\ntr '\\0' ' ' </proc/$$/environ >>" + Dir() +
                                "/seen\necho \"$@\" >>" + Dir() + "/seen\necho '[]'\n");
  ASSERT_EQ(Sh("chmod 755 $DIR/spy"), 0);
  EXPECT_EQ(Ask(Cheap("fresh", "program: '" + Dir() + "/spy'")).state, State::kCritical);
  EXPECT_EQ(Sh("grep -q -- --no-lock $DIR/seen && grep -q -- --password-file $DIR/seen"), 0);
  EXPECT_NE(Sh("grep -q hemmelig $DIR/seen"), 0);
  EXPECT_THAT(FaultsOf("{sensor: restic, job: j, max_age: 1h, password_file: /p, repository: "
                       "'rest:https://maler:hemmelig@backup.example/'}"),
              ElementsAre(HasSubstr("give `repository_file`")));
  ASSERT_EQ(Sh("umask 077; printf %s $DIR/fresh >$DIR/where"), 0);
  EXPECT_EQ(Ask("{sensor: restic, job: j, max_age: 26h, password_file: '" + Dir() +
                "/pw', repository_file: '" + Dir() + "/where', sizes: false}")
                .state,
            State::kOk);
}

TEST_F(ResticTest, ACopyElsewhereIsNoRunOfTheJob) {
  const Answer answer = Ask(Cheap("fresh", "offsite: true"));
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_NE(Of(answer, "backup_offsite_last_success_timestamp_seconds"), std::nullopt);
  EXPECT_EQ(Of(answer, "backup_last_success_timestamp_seconds"), std::nullopt);
  EXPECT_THAT(answer.backup_runs, IsEmpty());
}

TEST_F(ResticTest, SeveralHostsInOneSelectionHideEachOther) {
  ASSERT_EQ(Restic("cp -a fresh two; restic -q -r two backup --host fil02 src"), 0);
  const Answer both = Ask(Cheap("two"));
  EXPECT_EQ(both.state, State::kWarning);
  EXPECT_THAT(both.text, HasSubstr("snapshots of 2 hosts; choose with `host`"));
  EXPECT_EQ(Ask(Cheap("two", "host: fil01")).state, State::kOk);
}

TEST_F(ResticTest, AConfigurationIsReadStrictly) {
  EXPECT_THAT(
      FaultsOf("{sensor: restic, job: j}"),
      testing::UnorderedElementsAre(HasSubstr("`max_age` is missing"),
                                    HasSubstr("give `repository`"), HasSubstr("password_file")));
  EXPECT_THAT(FaultsOf(Config("fresh", "warning_age: 27h")),
              ElementsAre(HasSubstr("`warning_age` must be below `max_age`")));
  EXPECT_THAT(FaultsOf(Config("fresh", "lock_warning: 48h")),
              ElementsAre(HasSubstr("`lock_critical` must be above `lock_warning`")));
  EXPECT_THAT(
      FaultsOf("{sensor: restic, job: 'a b', max_age: 1h, repository: r, password_file: p}"),
      ElementsAre(HasSubstr("`job`"), HasSubstr("absolute path")));
}

TEST_F(ResticTest, GivesWayToEverythingElse) {
  // Lowered just after the start, so it waits until it is.
  ASSERT_EQ(
      Sh("printf '#!/bin/sh\\nuntil [ \"$(nice)\" = 10 ]; do :; done\\nexec restic \"$@\"\\n' "
         ">$DIR/gentle; chmod 755 $DIR/gentle"),
      0);
  const Answer answer = Ask(Cheap("fresh", "program: " + Dir() + "/gentle"));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
}

TEST_F(ResticTest, TheSecretsOfAnObjectStoreComeFromTheirFile) {
  LoopbackServer server(io_, [](const std::string&) {
    return Part{HttpReply(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), "",
                false};
  });
  ASSERT_EQ(Sh("umask 077; printf '[default]\\naws_access_key_id = NOKKEL\\n"
               "aws_secret_access_key = hemmelig\\n' >$DIR/s3"),
            0);
  const std::string config = "{sensor: restic, job: nightly, max_age: 26h, password_file: '" +
                             Dir() + "/pw', repository: 's3:http://" + server.address() +
                             "/bucket/repo', s3_credentials_file: '" + Dir() + "/s3'}";
  const Answer answer = Ask(config);
  EXPECT_EQ(answer.state, State::kUnknown) << answer.text;
  EXPECT_THAT(answer.text, Not(HasSubstr("hemmelig")));
  ASSERT_THAT(server.requests(), Not(IsEmpty()));
  EXPECT_THAT(server.requests().front(), HasSubstr("Credential=NOKKEL/"));
  ASSERT_EQ(Sh("chmod 644 $DIR/s3"), 0);
  const size_t before = server.requests().size();
  EXPECT_THAT(Ask(config).text, HasSubstr("others may read the secret"));
  EXPECT_EQ(server.requests().size(), before);
}

// What restic 0.17.3 gives for a job of one file: a posted one, its first time in the zone of the
// others.
constexpr const char* kNewer =
    R"([{"time":"2025-03-11T08:00:01.664908291+07:00",)"
    R"("parent":"dc820f3d74a446f3b0962c24dcafc843181c8a94d644acd9d602af2fc9b1cf99",)"
    R"("tree":"3b96d1d73568d8c06f10b79957e68257315db6849320cf9ff36391f513eadd7a",)"
    R"("paths":["/etc/hosts"],"hostname":"host1.example.com","username":"root",)"
    R"("tags":["example_tag"],"program_version":"restic 0.17.3","summary":{)"
    R"("backup_start":"2025-03-11T08:00:01.664908291+07:00",)"
    R"("backup_end":"2025-03-11T08:00:05.646613355+07:00","files_new":0,"files_changed":1,)"
    R"("files_unmodified":0,"dirs_new":0,"dirs_changed":3,"dirs_unmodified":0,"data_blobs":8,)"
    R"("tree_blobs":4,"data_added":4994478,"data_added_packed":428681,"total_files_processed":1,)"
    R"("total_bytes_processed":7941120},)"
    R"("id":"490d199082e4f10f4760871be98d026c6bd6da7edde374c5fb381087af2bd469",)"
    R"("short_id":"490d1990"}])";

TEST(ResticOutputTest, NewerVersionsSayMore) {
  const auto snapshots = ParseResticSnapshots(kNewer);
  ASSERT_TRUE(snapshots);
  ASSERT_EQ(snapshots->size(), 1U);
  const ResticSnapshot& snapshot = snapshots->front();
  EXPECT_EQ(FormatInstant(snapshot.start), "2025-03-11T01:00:01.664Z");
  EXPECT_EQ(FormatInstant(*snapshot.end), "2025-03-11T01:00:05.646Z");
  EXPECT_EQ(snapshot.size, 7941120U);
  EXPECT_EQ(snapshot.files, 1U);
  EXPECT_THAT(snapshot.paths, ElementsAre("/etc/hosts"));
  // backup --time: it ended before the time that it was given.
  std::string later = kNewer;
  later.replace(later.find("2025"), 4, "2026");
  EXPECT_FALSE(ParseResticSnapshots(later)->front().end);
}

TEST(ResticOutputTest, WhatIsNoListIsNone) {
  EXPECT_THAT(*ParseResticSnapshots("[]"), IsEmpty());
  EXPECT_THAT(*ParseResticSnapshots("null"), IsEmpty());
  for (const char* odd :
       {"", "{}", "[", "[1]", "[{}]", R"([{"id":"x","time":"2026-11-22T07:35:26Z"}])"}) {
    EXPECT_FALSE(ParseResticSnapshots(odd)) << odd;
  }
  EXPECT_FALSE(ParseResticSnapshots(std::string(1000, '[')));
  EXPECT_FALSE(ParseResticStats(R"({"total_size":-1,"total_file_count":2})"));
  EXPECT_FALSE(ParseResticLock(R"({"time":"yesterday"})"));
  EXPECT_THAT(ParseResticLockIds("hello\n" + std::string(64, 'a') + "\n" + std::string(64, 'G')),
              ElementsAre(std::string(64, 'a')));
}

TEST(ResticOutputTest, WhatIsLeftOutIsSeenInEveryVersion) {
  EXPECT_EQ(ResticLeftOut(""), "");
  EXPECT_EQ(ResticLeftOut("Load(<snapshot/85f461083c>, 0, 0) returned error, retrying after 5ms: "
                          "EOF\n"),
            "")
      << "it was read after all";
  EXPECT_EQ(ResticLeftOut("List(snapshot) returned error, retrying after 5ms: x\n"
                          "could not load snapshots: open r/snapshots: permission denied\nmore\n"),
            "not every snapshot can be read: could not load snapshots: open r/snapshots: "
            "permission denied");
  EXPECT_EQ(ResticLeftOut("Ignoring \"85f46108\": no matching ID found\n"),
            "not every snapshot can be read: Ignoring \"85f46108\": no matching ID found");
}

TEST(ResticOutputTest, FailuresAreToldApartInEveryVersion) {
  EXPECT_EQ(ResticFailure(1, "Fatal: wrong password or no key found\n"),
            "wrong password for the repository");
  EXPECT_EQ(ResticFailure(12, ""), "wrong password for the repository");
  EXPECT_EQ(ResticFailure(10, "Fatal: repository does not exist\n"),
            "there is no repository: repository does not exist");
  EXPECT_EQ(ResticFailure(1,
                          "Fatal: unable to open config file: dial tcp: connection refused\n"
                          "Is there a repository at the following location?\nrest:x\n"),
            "the repository cannot be reached: unable to open config file: dial tcp: connection "
            "refused");
  EXPECT_THAT(ResticFailure(11, "x"), StartsWith("the repository is locked"));
  // As 0.18 says it when it was asked for JSON.
  EXPECT_EQ(ResticFailure(1, R"({"message_type":"exit_error","code":12,)"
                             R"("message":"Fatal: wrong password or no key found"})"),
            "wrong password for the repository");
  EXPECT_EQ(ResticFailure(
                11, R"({"message_type":"exit_error","code":11,"message":"unable to create lock in )"
                    R"(backend: repository is already locked by PID 9454 on host1 by root (UID 0, )"
                    R"(GID 0)\nlock was created at 2025-11-28 01:00:01 (12.480720222s ago)\n)"
                    R"(storage ID 05b36c59\nthe `unlock` command can be used to remove stale )"
                    "locks\"}\n"),
            "the repository is locked: unable to create lock in backend: repository is already "
            "locked by PID 9454 on host1 by root (UID 0, GID 0)");
  // 0.14 tells where it was in its own code.
  EXPECT_EQ(ResticFailure(1,
                          "load <lock/5cc0096078>: invalid data returned\n"
                          "github.com/restic/restic/internal/repository.(*Repository).Load\n"
                          "\tgithub.com/restic/restic/internal/repository/repository.go:203\n"
                          "runtime.goexit\n\truntime/asm_amd64.s:1594\n"),
            "restic failed with exit code 1: load <lock/5cc0096078>: invalid data returned");
  EXPECT_EQ(ResticFailure(3, "{\"message\": 1}"),
            "restic failed with exit code 3: {\"message\": 1}");
  EXPECT_EQ(ResticFailure(7, "\n what\n"), "restic failed with exit code 7:  what");
  EXPECT_THAT(ResticFailure(1, std::string(9000, 'x')).size(), testing::Le(256U));
}

}  // namespace
}  // namespace oppetid::agent
