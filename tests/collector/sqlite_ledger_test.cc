#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "collector/ledger/reserve.h"
#include "collector/ledger/sqlite.h"
#include "tests/contract/ledger_tickets_contract.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

class SqlitePlace : public LedgerPlace {
 public:
  SqlitePlace() {
    std::signal(SIGXFSZ, SIG_IGN);  // then a write beyond the limit fails as on a full disk
    ::getrlimit(RLIMIT_FSIZE, &before_);
  }
  ~SqlitePlace() override { Mend(); }

  absl::StatusOr<std::unique_ptr<Ledger>> Open() override { return OpenSqliteLedger(file()); }
  void Break() override {
    rlimit limit = before_;
    limit.rlim_cur = 200'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void Mend() override { ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }
  void MakeNewer() override {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }
  std::string file() const { return directory_.path() + "/ledger.sqlite"; }

 private:
  TempDir directory_;
  rlimit before_{};
};

std::unique_ptr<LedgerPlace> MakeSqlitePlace() { return std::make_unique<SqlitePlace>(); }

INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerContract, testing::Values(&MakeSqlitePlace));

TEST(SqliteLedger, RefusesWhatIsNoLedger) {
  SqlitePlace place;
  std::ofstream(place.file()) << std::string(10'000, 'x');
  const auto opened = place.Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << opened.status();
}

TEST(SqliteLedger, SaysWhenTheDiskIsFull) {
  SqlitePlace place;
  auto ledger = place.Open();
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  Batch batch;
  for (int i = 0; i < 20'000; ++i) batch.runs.push_back(RunOf(i, i + 1, State::kOk));
  place.Break();
  EXPECT_EQ((*ledger)->Commit(batch, At(0)).code(), absl::StatusCode::kResourceExhausted);
}

TEST(SqliteLedger, KeepsRoomBesideItselfAndGivesItUpOnce) {
  TempDir directory;
  const std::string path = directory.path() + "/reserve";
  Reserve reserve(path);
  EXPECT_FALSE(reserve.Release()) << "there is none yet";
  reserve.Keep(At(0));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, 4'000'000);
  EXPECT_TRUE(reserve.Release());
  EXPECT_NE(::stat(path.c_str(), &info), 0);
  EXPECT_FALSE(reserve.Release());
  reserve.Keep(At(59));
  EXPECT_NE(::stat(path.c_str(), &info), 0) << "not at once: the disk is full";
  reserve.Keep(At(60));
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
}

// A file of the first release: what is in it stays, what is new finds its place.
TEST(SqliteLedger, BringsAnOlderFileUpToDate) {
  SqlitePlace place;
  std::string id;
  {
    auto ledger = place.Open();
    ASSERT_TRUE(ledger.ok());
    id = (*ledger)->id();
    ASSERT_TRUE((*ledger)->Commit(Runs({RunOf(0, 60)}), At(5)).ok());
  }
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(place.file().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(
                db,
                "DROP TABLE ticket_events; DROP TABLE ticket_answers; DROP TABLE ticket_sources; "
                "DROP TABLE tickets; DROP TABLE acts; DROP TABLE backup_runs; "
                "PRAGMA user_version = 1",
                nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  const auto reader = OpenSqliteReader(place.file());
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kFailedPrecondition) << reader.status();

  auto ledger = place.Open();
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  EXPECT_EQ((*ledger)->id(), id);
  EXPECT_THAT(Spans(**ledger), testing::ElementsAre("srv1/disk ok 0-60 @5"));
  Batch batch;
  batch.acts.push_back(NextAct({}, "first", 7));
  EXPECT_TRUE((*ledger)->Commit(batch, At(9)).ok());
}

TEST(SqliteLedger, ReaderNeedsALedger) {
  SqlitePlace place;
  EXPECT_FALSE(OpenSqliteReader(place.file()).ok());
}

}  // namespace
}  // namespace oppetid::collector
