// A real PostgreSQL server, its archiver, and the real pgbackrest.
#include "agent/sensors/postgres_output.h"
#include "tests/support/backup_fixture.h"
#include "tests/support/postgres_cluster.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class PostgresTest : public BackupFixture {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new PostgresCluster;
    cluster_->Start();
  }
  static void TearDownTestSuite() { delete cluster_; }
  static std::string Dir() { return cluster_->directory(); }

  // Waits in the server until the condition over pg_stat_archiver holds.
  static int Await(const std::string& condition) {
    return cluster_->Sql(
        "DO $$ BEGIN FOR i IN 1..2000 LOOP\n"
        "IF (SELECT " +
        condition +
        " FROM pg_stat_archiver) THEN RETURN; END IF;\n"
        "PERFORM pg_sleep(0.02); PERFORM pg_stat_clear_snapshot(); END LOOP;\n"
        "RAISE EXCEPTION 'it never happened'; END $$;");
  }
  static int ArchiveWith(const std::string& command) {
    return cluster_->Sql("ALTER SYSTEM SET archive_command = '" + command +
                         "';\nSELECT pg_reload_conf();");
  }
  // Ends a segment that has something in it.
  static int Switch() {
    return cluster_->Sql(
        "SELECT pg_logical_emit_message(false, 'test', 'x');\n"
        "SELECT pg_switch_wal();");
  }

  inline static PostgresCluster* cluster_ = nullptr;
};

class WalTest : public PostgresTest {
 protected:
  static std::string Config(const std::string& more = "") {
    return "{sensor: postgres_wal, job: wal, source_host: db01, server: '" + Dir() +
           "', user: postgres" + (more.empty() ? "" : ", " + more) + "}";
  }
  static std::string Archive() { return "test ! -e " + Dir() + "/full && cp %p " + Dir(); }
};

TEST_F(WalTest, NeverThenArchivedThenFailingThenArchivedAgain) {
  const Answer never = Ask(Config());
  EXPECT_EQ(never.state, State::kWarning) << never.text;
  EXPECT_THAT(never.text, StartsWith("no WAL archived yet"));
  EXPECT_EQ(Result(never), "never");

  ASSERT_EQ(ArchiveWith(Archive()), 0);
  ASSERT_EQ(Switch(), 0);
  ASSERT_EQ(Await("archived_count > 0"), 0);
  const Answer archived = Ask(Config());
  EXPECT_EQ(archived.state, State::kOk) << archived.text;
  EXPECT_THAT(archived.text, StartsWith("last segment archived "));
  EXPECT_EQ(Result(archived), "success");
  EXPECT_EQ(Of(archived, "backup_wal_failing"), 0.0);
  EXPECT_EQ(Of(archived, "backup_wal_ready_files"), 0.0);
  EXPECT_EQ(AskLater(Config(), hours(1000)).state, State::kOk) << "an idle server archives nothing";

  ASSERT_EQ(cluster_->As("touch full"), 0);
  ASSERT_EQ(Switch(), 0);
  ASSERT_EQ(Await("failed_count > 0"), 0);
  const Answer failing = Ask(Config());
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
  ASSERT_EQ(Switch(), 0);
  ASSERT_EQ(Await("last_archived_time > last_failed_time"), 0);
  EXPECT_EQ(Of(Ask(Config()), "backup_wal_failing"), 0.0);
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

class PgBackRestTest : public PostgresTest {
 protected:
  static std::string Config(const std::string& more = "") {
    return "{sensor: pgbackrest, job: db, source_host: db01, max_age: 26h, config: '" + Dir() +
           "/pgbackrest.conf'" + (more.empty() ? ", stanza: main" : ", " + more) + "}";
  }
  static int PgBackRest(const std::string& command) {
    return cluster_->As("pgbackrest --config=" + Dir() + "/pgbackrest.conf --stanza=main " +
                        command);
  }
};

TEST_F(PgBackRestTest, NeverThenFreshThenOldThenGone) {
  const std::string dir = Dir();
  ASSERT_EQ(cluster_->As("printf '%s\\n' '[global]' repo1-path=" + dir + "/repo log-path=" + dir +
                         " lock-path=" + dir + "/lock spool-path=" + dir +
                         " start-fast=y compress-type=none log-level-console=error '[main]' "
                         "pg1-path=" +
                         dir + "/data pg1-socket-path=" + dir +
                         " pg1-user=postgres >pgbackrest.conf; mkdir repo"),
            0);
  const Answer none = Ask(Config());
  EXPECT_EQ(none.state, State::kUnknown);
  EXPECT_THAT(none.text, HasSubstr("missing stanza path"));
  ASSERT_EQ(PgBackRest("stanza-create"), 0);
  const Answer never = Ask(Config());
  EXPECT_EQ(never.state, State::kCritical) << never.text;
  EXPECT_THAT(never.text, StartsWith("never backed up"));
  EXPECT_EQ(Result(never), "never");

  ASSERT_EQ(
      ArchiveWith("pgbackrest --config=" + dir + "/pgbackrest.conf --stanza=main archive-push %p"),
      0);
  ASSERT_EQ(PgBackRest("backup --type=full"), 0);
  const Answer fresh = Ask(Config());
  EXPECT_EQ(fresh.state, State::kOk) << fresh.text;
  EXPECT_THAT(fresh.text, HasSubstr(" MB, 1 kept"));
  EXPECT_GE(Of(fresh, "backup_last_size_bytes"), 1e6);
  ASSERT_EQ(fresh.backup_runs.size(), 1U);
  EXPECT_GT(fresh.backup_runs.front().end, fresh.backup_runs.front().start);
  EXPECT_EQ(AskLater(Config(), hours(27)).state, State::kCritical);

  ASSERT_EQ(cluster_->As("mv repo elsewhere"), 0);
  const Answer gone = Ask(Config());
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_EQ(Result(gone), "unknown");
  const Answer no_config =
      Ask("{sensor: pgbackrest, job: db, max_age: 26h, stanza: main, config: "
          "/no/such.conf}");
  EXPECT_EQ(no_config.state, State::kUnknown);
  EXPECT_THAT(no_config.text, HasSubstr("055"));
}

TEST(PostgresOutputTest, PageErrorsAndRunningBackupsAreRead) {
  const auto stanza = ParsePgStanza(
      R"([{"name":"main","status":{"code":0,"message":"ok","lock":{"backup":{"held":true}}},"backup":[)"
      R"({"label":"20261122-004612F","type":"full","error":true,"timestamp":{"start":1795308372,)"
      R"("stop":1795308380},"info":{"size":23213884,"delta":1}}],"repo":[{"key":1}]}])",
      "main");
  ASSERT_TRUE(stanza);
  EXPECT_TRUE(stanza->running);
  ASSERT_EQ(stanza->backups.size(), 1U);
  EXPECT_TRUE(stanza->backups[0].page_errors);
  EXPECT_EQ(stanza->backups[0].size, 23213884U);
  EXPECT_EQ(FormatInstant(stanza->backups[0].end), "2026-11-22T00:46:20.000Z");
  for (const char* odd : {"", "[]", "{}", R"([{"name":"main"}])", R"([{"name":"other"}])"}) {
    EXPECT_FALSE(ParsePgStanza(odd, "main")) << odd;
  }
  EXPECT_FALSE(ParseWalArchiver("{}"));
  EXPECT_FALSE(ParseWalArchiver(R"({"now":-1,"archive_mode":"on"})"));
}

}  // namespace
}  // namespace oppetid::agent
