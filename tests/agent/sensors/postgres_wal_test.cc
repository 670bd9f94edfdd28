// A real PostgreSQL server and its archiver.
#include "agent/sensors/postgres_output.h"
#include "tests/support/postgres_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class WalTest : public PostgresTest {
 protected:
  static std::string Config(const std::string& more = "") {
    return "{sensor: postgres_wal, job: wal, source_host: db01, server: '" + Dir() +
           "', user: postgres" + (more.empty() ? "" : ", " + more) + "}";
  }
  // The answer once a segment has ended and this has come true of the archiver.
  Answer AskAfterASegment(const std::string& condition) {
    EXPECT_EQ(Switch(), 0);
    EXPECT_EQ(Await(condition), 0);
    return Ask(Config());
  }
  static std::string Archive() { return "test ! -e " + Dir() + "/full && cp %p " + Dir(); }
};

TEST_F(WalTest, NeverThenArchivedThenFailingThenArchivedAgain) {
  const Answer never = Ask(Config());
  EXPECT_EQ(never.state, State::kWarning) << never.text;
  EXPECT_THAT(never.text, StartsWith("no WAL archived yet"));
  EXPECT_EQ(Result(never), "never");

  ASSERT_EQ(ArchiveWith(Archive()), 0);
  const Answer archived = AskAfterASegment("archived_count > 0");
  EXPECT_EQ(archived.state, State::kOk) << archived.text;
  EXPECT_THAT(archived.text, StartsWith("last segment archived "));
  EXPECT_EQ(Result(archived), "success");
  EXPECT_EQ(Of(archived, "backup_wal_failing"), 0.0);
  EXPECT_EQ(Of(archived, "backup_wal_ready_files"), 0.0);
  EXPECT_EQ(AskLater(Config(), hours(1000)).state, State::kOk) << "an idle server archives nothing";

  // As a crash does.
  ASSERT_EQ(cluster_->Sql("SELECT pg_stat_reset_shared('archiver');"), 0);
  const Answer anew = Ask(Config());
  EXPECT_EQ(anew.state, State::kOk) << anew.text;
  EXPECT_THAT(anew.text, StartsWith("last segment archived "));

  ASSERT_EQ(cluster_->As("touch full"), 0);
  const Answer failing = AskAfterASegment("failed_count > 0");
  EXPECT_EQ(failing.state, State::kWarning) << failing.text;
  EXPECT_THAT(failing.text, StartsWith("archiving fails ("));
  EXPECT_EQ(Result(failing), "failed");
  EXPECT_EQ(Of(failing, "backup_wal_failing"), 1.0);
  EXPECT_EQ(Of(failing, "backup_wal_ready_files"), 1.0);
  ASSERT_EQ(cluster_->As("touch -d '3 hours ago' data/pg_wal/archive_status/*.ready"), 0);
  const Answer long_failing = Ask(Config());
  EXPECT_EQ(long_failing.state, State::kCritical);
  EXPECT_THAT(long_failing.text, HasSubstr("1 segments wait, the oldest for 3h"));
  EXPECT_EQ(Ask(Config("max_delay: 4h")).state, State::kWarning);

  ASSERT_EQ(cluster_->As("rm full"), 0);
  const Answer again = AskAfterASegment("last_archived_time > last_failed_time");
  EXPECT_EQ(Of(again, "backup_wal_failing"), 0.0);
}

TEST_F(WalTest, WhatCouldNotBeAskedIsUnknown) {
  ASSERT_EQ(cluster_->Sql("CREATE ROLE maler LOGIN PASSWORD 'hemmelig';"), 0);
  ASSERT_EQ(cluster_->As("(echo 'local all maler scram-sha-256'; cat data/pg_hba.conf) >hba; "
                         "cp hba data/pg_hba.conf"),
            0);
  ASSERT_EQ(cluster_->Sql("SELECT pg_reload_conf();"), 0);
  ASSERT_EQ(Shell("umask 077; cd " + Dir() + "; echo '*:*:*:maler:hemmelig' >right; " +
                  "echo '*:*:*:maler:feil' >wrong; cp right open; chmod 644 open"),
            0);
  const auto as_reader = [&](const std::string& file) {
    return Ask("{sensor: postgres_wal, job: wal, user: maler, server: '" + Dir() +
               "', password_file: '" + Dir() + "/" + file + "'}");
  };
  const Answer wrong = as_reader("wrong");
  EXPECT_EQ(wrong.state, State::kUnknown);
  EXPECT_THAT(wrong.text, StartsWith("wrong password for the server"));
  EXPECT_EQ(Result(wrong), "unknown");
  EXPECT_THAT(as_reader("open").text, StartsWith("others may read the secret"));
  const Answer few_rights = as_reader("right");
  EXPECT_EQ(few_rights.state, State::kUnknown);
  EXPECT_THAT(few_rights.text, StartsWith("the role must be in pg_monitor"));
  ASSERT_EQ(cluster_->Sql("GRANT pg_monitor TO maler;"), 0);
  EXPECT_NE(as_reader("right").state, State::kUnknown);

  const Answer gone = Ask("{sensor: postgres_wal, job: wal, server: '" + Dir() + "/none'}");
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, StartsWith("cannot ask the server"));
}

TEST_F(WalTest, AServerThatArchivesNothingIsNotFine) {
  ASSERT_EQ(cluster_->Sql("ALTER SYSTEM SET archive_mode = off;"), 0);
  cluster_->Stop();
  const Answer down = Ask(Config());
  EXPECT_EQ(down.state, State::kUnknown);
  EXPECT_THAT(down.text, StartsWith("cannot ask the server"));
  cluster_->Start();
  const Answer off = Ask(Config());
  EXPECT_EQ(off.state, State::kCritical);
  EXPECT_THAT(off.text, StartsWith("archive_mode is off"));
}

TEST_F(WalTest, AConfigurationIsReadStrictly) {
  EXPECT_THAT(FaultsOf("{sensor: postgres_wal, job: j, server: 'a port=1'}"),
              ElementsAre(HasSubstr("a word without spaces")));
  EXPECT_THAT(FaultsOf("{sensor: postgres_wal, job: j, warning_delay: 1h}"),
              ElementsAre(HasSubstr("`max_delay` must be above")));
}

TEST(WalArchiverTest, WhatIsNoAnswerIsNone) {
  EXPECT_FALSE(ParseWalArchiver("{}"));
  EXPECT_FALSE(ParseWalArchiver(R"({"now":-1,"archive_mode":"on"})"));
}

}  // namespace
}  // namespace oppetid::agent
