// The real pgbackrest on a real PostgreSQL server.
#include "agent/sensors/postgres_output.h"
#include "tests/support/postgres_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::HasSubstr;
using testing::StartsWith;

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

  // A second repository that has none yet, and then its own.
  ASSERT_EQ(cluster_->As("sed 's,^repo1-path.*,&\\nrepo2-path=" + dir +
                         "/repo2,' pgbackrest.conf >two; mv two pgbackrest.conf; mkdir repo2"),
            0);
  ASSERT_EQ(PgBackRest("stanza-create"), 0);
  const Answer mixed = Ask(Config());
  EXPECT_EQ(mixed.state, State::kUnknown);
  EXPECT_THAT(mixed.text, HasSubstr("different across repos; choose one with `repo`"));
  EXPECT_EQ(Ask(Config("stanza: main, repo: 1")).state, State::kOk);
  const Answer elsewhere = Ask(Config("stanza: main, repo: 2, offsite: true"));
  EXPECT_EQ(elsewhere.state, State::kCritical);
  EXPECT_THAT(elsewhere.text, StartsWith("never backed up"));
  ASSERT_EQ(PgBackRest("--repo=2 --type=full backup"), 0);
  const Answer merged = Ask(Config());
  EXPECT_EQ(merged.state, State::kWarning) << "one would hide that the other is old";
  EXPECT_THAT(merged.text, HasSubstr("backups of 2 repositories; choose with `repo`"));
  const Answer copy = Ask(Config("stanza: main, repo: 2, offsite: true"));
  EXPECT_EQ(copy.state, State::kOk) << copy.text;
  EXPECT_NE(Of(copy, "backup_offsite_last_success_timestamp_seconds"), std::nullopt);
  EXPECT_TRUE(copy.backup_runs.empty()) << "a copy is no run of the job";

  ASSERT_EQ(cluster_->As("mv repo elsewhere; mv repo2 elsewhere2"), 0);
  const Answer gone = Ask(Config());
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_EQ(Result(gone), "unknown");
  const Answer no_config =
      Ask("{sensor: pgbackrest, job: db, max_age: 26h, stanza: main, config: "
          "/no/such.conf}");
  EXPECT_EQ(no_config.state, State::kUnknown);
  EXPECT_THAT(no_config.text, HasSubstr("055"));
}

TEST(PgStanzaTest, PageErrorsAndRunningBackupsAreRead) {
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
}

// What pgBackRest 2.57 gave for a cluster of PostgreSQL 18, its later backups left out.
TEST(PgStanzaTest, NewerVersionsAreRead) {
  const auto stanza = ParsePgStanza(
      R"([{"archive":[{"database":{"id":1,"repo-key":1},"id":"18-1","max":"0000000300000000000000D1",)"
      R"("min":"000000010000000000000016"}],"backup":[{"archive":{"start":"000000010000000000000018",)"
      R"("stop":"000000010000000000000018"},"backrest":{"format":5,"version":"2.57.0"},)"
      R"("database":{"id":1,"repo-key":1},"error":false,"info":{"delta":49387623,"repository":)"
      R"({"delta":6378175,"size":6378175},"size":49387623},"label":"20260103-130722F","lsn":)"
      R"({"start":"0/18000028","stop":"0/18000158"},"prior":null,"reference":null,"timestamp":)"
      R"({"start":1767445642,"stop":1767445651},"type":"full"},{"archive":)"
      R"({"start":"00000001000000000000001C","stop":"00000001000000000000001C"},"backrest":)"
      R"({"format":5,"version":"2.57.0"},"database":{"id":1,"repo-key":1},"error":false,"info":)"
      R"({"delta":245702,"repository":{"delta":18296,"size":6389640},"size":49556118},)"
      R"("label":"20260103-130722F_20260103-164829D","lsn":{"start":"0/1C000028",)"
      R"("stop":"0/1C000158"},"prior":"20260103-130722F","reference":["20260103-130722F"],)"
      R"("timestamp":{"start":1767458909,"stop":1767458912},"type":"diff"}],"name":"main",)"
      R"("status":{"code":0,"message":"ok"}}])",
      "main");
  ASSERT_TRUE(stanza);
  EXPECT_FALSE(stanza->running);
  ASSERT_EQ(stanza->backups.size(), 2U);
  EXPECT_EQ(stanza->backups[1].size, 49556118U);
  EXPECT_EQ(FormatInstant(stanza->backups[1].end), "2026-01-03T16:48:32.000Z");
}

}  // namespace
}  // namespace oppetid::agent
