#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "collector/ledger/care.h"
#include "collector/ledger/sqlite.h"
#include "collector/ledger/sqlite_db.h"
#include "tests/support/spans.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

class CareTest : public testing::Test {
 protected:
  CareTest() {
    auto ledger = OpenSqliteLedger(path_);
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = *std::move(ledger);
    Batch batch;
    batch.runs.push_back({"srv1", "disk", State::kOk, At(0), At(60), false});
    batch.gaps.push_back({"srv1", "disk", At(60), At(90), "lost"});
    batch.backups.push_back({"srv1", "nightly", false, At(0), At(60), true, 5, 6});
    Act act{1, At(7), "k", "root", "", "{}", ""};
    act.hash = ChainHash("", act);
    batch.acts.push_back(act);
    Commit(batch);
  }
  void Commit(const Batch& batch) {
    const absl::Status status = ledger_->Commit(batch, At(100));
    ASSERT_TRUE(status.ok()) << status;
  }
  // Changes the file behind the ledger's back.
  void Tamper(const char* sql) {
    auto db = Database::Open(path_, /*read_only=*/false);
    ASSERT_TRUE(db.ok());
    const absl::Status status = db->Execute(sql);
    ASSERT_TRUE(status.ok()) << status;
  }

  TempDir directory_;
  std::string path_ = directory_.path() + "/ledger.sqlite";
  std::string copy_ = directory_.path() + "/copy.sqlite";
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(CareTest, ACopyIsALedgerWithTheSameFacts) {
  ASSERT_TRUE(BackUpLedger(path_, copy_).ok());
  const auto summary = VerifyLedger(copy_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->id, ledger_->id());
  EXPECT_EQ(summary->spans, 2U);
  EXPECT_EQ(summary->backup_runs, 1U);
  EXPECT_EQ(summary->head.hash, ledger_->chain_head().hash);
  EXPECT_EQ(*HashLedger(copy_), *HashLedger(path_));
  struct stat info {};
  ASSERT_EQ(::stat(copy_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_NE(::stat(UnfinishedCopy(copy_).c_str(), &info), 0) << "nothing is left beside it";
  auto opened = OpenSqliteLedger(copy_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(Spans(**opened), Spans(*ledger_));
}

TEST_F(CareTest, NeverReplacesAFile) {
  std::ofstream(copy_) << "somebody's";
  EXPECT_EQ(BackUpLedger(path_, copy_).code(), absl::StatusCode::kAlreadyExists);
  std::string content;
  std::ifstream(copy_) >> content;
  EXPECT_EQ(content, "somebody's");
}

TEST_F(CareTest, SaysWhatIsNoLedger) {
  EXPECT_FALSE(BackUpLedger(directory_.path() + "/none", copy_).ok());
  EXPECT_FALSE(VerifyLedger(directory_.path() + "/none").ok());
  EXPECT_FALSE(HashLedger(directory_.path() + "/none").ok());
  EXPECT_FALSE(BackUpLedger(path_, directory_.path() + "/no/where").ok());
}

TEST_F(CareTest, TheHashDependsOnEveryKindOfFact) {
  const std::string before = *HashLedger(path_);
  for (const char* sql : {"UPDATE spans SET to_ms = to_ms + 1 WHERE state = 0",
                          "UPDATE spans SET reason = 'x' WHERE state = 4",
                          "UPDATE backup_runs SET success = 0", "UPDATE acts SET hash = 'x'"}) {
    const std::string last = *HashLedger(path_);
    Tamper(sql);
    EXPECT_NE(*HashLedger(path_), last) << sql;
  }
  EXPECT_NE(*HashLedger(path_), before);
}

TEST_F(CareTest, FindsAChangedAct) {
  ASSERT_TRUE(VerifyLedger(path_).ok());
  Tamper("UPDATE acts SET who = 'nobody'");
  EXPECT_THAT(VerifyLedger(path_).status().message(), HasSubstr("broken after act 0"));
}

TEST_F(CareTest, FindsADamagedFile) {
  Batch many;
  for (int i = 0; i < 2'000; ++i) {
    many.runs.push_back(
        {"srv1", "check-" + std::to_string(i), State::kOk, At(i), At(i + 1), false});
  }
  Commit(many);
  Tamper("PRAGMA wal_checkpoint(TRUNCATE)");
  ledger_.reset();
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20'000);
  file << std::string(20'000, 'x');
  file.close();
  EXPECT_FALSE(VerifyLedger(path_).ok());
  EXPECT_FALSE(BackUpLedger(path_, copy_).ok()) << "a copy of damage is no backup";
  struct stat info {};
  EXPECT_NE(::stat(copy_.c_str(), &info), 0);
}

TEST_F(CareTest, CopiesOneStateWhileItIsWritten) {
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Batch batch;  // always two together
      for (const char* check : {"a", "b"}) {
        batch.runs.push_back({"srv2", check, State::kOk, At(2 * i), At(2 * i + 1), false});
      }
      ASSERT_TRUE(ledger_->Commit(batch, At(100)).ok());
    }
  });
  for (int i = 0; i < 5; ++i) {
    const std::string copy = copy_ + std::to_string(i);
    const absl::Status status = BackUpLedger(path_, copy);
    EXPECT_TRUE(status.ok()) << status;
    auto opened = OpenSqliteLedger(copy);
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ(Spans(**opened).size() % 2, 0U);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace oppetid::collector
