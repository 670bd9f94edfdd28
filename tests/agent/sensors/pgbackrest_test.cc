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

TEST_F(PgBackRestTest, AWrongPassphraseAndAnUnreachableRepositoryAreStatesOfTheirOwn) {
  const auto with = [&](const std::string& name, const std::string& repository) {
    EXPECT_EQ(cluster_->As("printf '%s\\n' '[global]' " + repository + " lock-path=" + Dir() +
                           "/lock '[main]' pg1-path=" + Dir() + "/data pg1-socket-path=" + Dir() +
                           " pg1-user=postgres >" + name),
              0);
    return Ask("{sensor: pgbackrest, job: db, max_age: 26h, stanza: main, config: '" + Dir() + "/" +
               name + "'}");
  };
  const std::string secret =
      "repo1-path=" + Dir() + "/secret repo1-cipher-type=aes-256-cbc repo1-cipher-pass=";
  EXPECT_THAT(with("right.conf", secret + "hemmelig").text, HasSubstr("missing stanza path"));
  ASSERT_EQ(cluster_->As("pgbackrest --config=" + Dir() + "/right.conf --stanza=main --log-path=" +
                         Dir() + " --log-level-console=error stanza-create"),
            0);
  EXPECT_EQ(with("right.conf", secret + "hemmelig").state, State::kCritical) << "never backed up";
  const Answer wrong = with("wrong.conf", secret + "feil");
  EXPECT_EQ(wrong.state, State::kUnknown);
  EXPECT_THAT(wrong.text, StartsWith("wrong passphrase for the repository, or it is damaged: ["));
  // Port 1, where nobody listens; it is tried again for as long as io-timeout.
  const Answer gone =
      with("gone.conf",
           "repo1-type=s3 repo1-s3-bucket=bbbb repo1-s3-endpoint=127.0.0.1 repo1-s3-region=x "
           "repo1-storage-host=127.0.0.1 repo1-storage-port=1 repo1-s3-key=k "
           "repo1-s3-key-secret=hemmelig io-timeout=0.1");
  EXPECT_EQ(gone.state, State::kUnknown);
  EXPECT_THAT(gone.text, StartsWith("the repository cannot be reached: [HostConnectError]"));
}

TEST(PgStanzaTest, AFaultIsToldInTheWordsOfItsRepository) {
  // 2.45 quotes what it could not decrypt as it stands.
  const auto stanza = ParsePgStanza(
      "[{\"backup\":[],\"name\":\"main\",\"repo\":[{\"key\":1,\"status\":{\"code\":0}},{\"key\":2,"
      "\"status\":{\"code\":99,\"message\":\"[FormatError] unable to load\\nFormatError: key/value "
      "found outside of section at line 1: "
      "\xc6\xa0\x41\xfd\x01\"}}],\"status\":{\"code\":99,\"message\":"
      "\"other\"}}]",
      "main");
  ASSERT_TRUE(stanza);
  EXPECT_EQ(stanza->repositories, 2U);
  EXPECT_EQ(stanza->message, "[FormatError] unable to load");
  EXPECT_EQ(PgBackRestFailure("[PathOpenError] x\ny"), "pgbackrest: [PathOpenError] x");
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
