// What every engine of the ledger promises (collector/ledger/ledger.h), as tests.
//
// An engine's test instantiates the suite with a function that makes a `LedgerPlace`: where its
// ledger lies, how it is opened, and how it is made to fail. Everything lives in one test process;
// nothing is shared between tests.
#pragma once

#include "absl/strings/str_cat.h"
#include "tests/contract/ledger_place.h"
#include "tests/contract/ledger_spans_contract.h"

namespace oppetid::collector {

TEST_P(LedgerContract, BeginsEmptyWithAnIdOfItsOwn) {
  EXPECT_THAT(ledger_->id(), testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(ledger_->id().size(), 32U);
  EXPECT_THAT(Told(), testing::IsEmpty());
  EXPECT_EQ(ledger_->newest_record(), Instant{});
  EXPECT_GT(ledger_->bytes(), 0U);
  const auto other = GetParam()();
  EXPECT_NE((*other->Open())->id(), ledger_->id());
}

TEST_P(LedgerContract, AppliesABatchTwiceAsOnce) {
  Batch batch = Runs({RunOf(0, 60), RunOf(60, 120, State::kCritical)});
  batch.gaps.push_back({"srv1", "disk", At(120), At(180), "lost"});
  batch.agents.push_back(ExampleAgent());
  Commit(batch, 5);
  const auto once = Told();
  EXPECT_THAT(once, testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk critical 60-120 @5",
                                         "srv1/disk gap(lost) 120-180 @5"));
  Commit(batch, 5);
  EXPECT_EQ(Told(), once);
  Commit(batch, 500);
  EXPECT_EQ(Told(), once);
}

inline std::vector<std::string> BackupRuns(const Ledger& ledger) {
  std::vector<std::string> told;
  const auto reader = ledger.OpenReader();
  const absl::Status status = (*reader)->ForEachBackupRun([&](const StoredBackupRun& run) {
    told.push_back(absl::StrCat(run.host, "/", run.job, run.restore_test ? " restore " : " backup ",
                                Secs(run.start), "-", Secs(run.end), run.success ? " ok " : " bad ",
                                run.bytes, " ", run.files, " @", Secs(run.recorded_at)));
  });
  EXPECT_TRUE(status.ok()) << status;
  return told;
}

TEST_P(LedgerContract, KeepsOneBackupRunPerKeyWhateverTheOrder) {
  const BackupRunWrite first{"srv1", "nightly", false, At(0), At(60), true, 5, 6};
  BackupRunWrite longer = first, failed = first;
  longer.end = At(90);
  failed.end = At(90);
  failed.success = false;
  BackupRunWrite restore = first;
  restore.restore_test = true;
  for (const auto& order : {std::vector{first, longer, failed, restore},
                            std::vector{restore, failed, longer, first, first}}) {
    ledger_.reset();
    place_ = GetParam()();
    Reopen();
    for (const BackupRunWrite& run : order) {
      Batch batch;
      batch.backups.push_back(run);
      Commit(batch, 100);
    }
    EXPECT_THAT(BackupRuns(*ledger_),
                testing::ElementsAre("srv1/nightly backup 0-90 bad 5 6 @100",
                                     "srv1/nightly restore 0-60 ok 5 6 @100"));
  }
  EXPECT_EQ(ledger_->newest_record(), At(100));
}

inline Act NextAct(const ChainHead& head, const std::string& kind, int64_t at) {
  Act act{head.number + 1, At(at), kind, "root", "Kari", R"({"a":1})", ""};
  act.hash = ChainHash(head.hash, act);
  return act;
}

TEST_P(LedgerContract, ContinuesTheAuditChainAndRefusesAnythingElse) {
  EXPECT_EQ(ledger_->chain_head().number, 0U);
  Batch batch;
  batch.acts.push_back(NextAct({}, "first", 5));
  batch.acts.push_back(NextAct({1, batch.acts[0].hash}, "second", 6));
  Commit(batch, 3);
  EXPECT_EQ(ledger_->newest_record(), At(6));
  Reopen();
  const ChainHead head = ledger_->chain_head();
  EXPECT_EQ(head.number, 2U);
  EXPECT_EQ(head.hash, batch.acts[1].hash);

  EXPECT_FALSE(ledger_->Commit(batch, At(9)).ok()) << "a repetition is no continuation";
  Batch forged;
  forged.acts.push_back(NextAct(head, "third", 7));
  forged.acts[0].who = "somebody else";
  forged.runs.push_back(RunOf(0, 60));
  EXPECT_FALSE(ledger_->Commit(forged, At(9)).ok());
  EXPECT_THAT(Told(), testing::IsEmpty()) << "refused as a whole";
  EXPECT_EQ(ledger_->chain_head().number, 2U);

  std::vector<std::string> kinds;
  const auto reader = ledger_->OpenReader();
  std::string hash;
  ASSERT_TRUE((*reader)
                  ->ForEachAct(1,
                               [&](const Act& act) {
                                 EXPECT_EQ(act.hash, ChainHash(hash, act));
                                 hash = act.hash;
                                 kinds.push_back(act.kind);
                               })
                  .ok());
  EXPECT_THAT(kinds, testing::ElementsAre("first", "second"));
}

TEST(ChainHash, IsThatOfAnyToolOverTheSameBytes) {
  const Act act{1, FromUnixMillis(1'000), "k", "root", "", "{}", ""};
  // printf '0:1:14:10001:k4:root0:2:{}' | sha256sum
  EXPECT_EQ(ChainHash("", act), "c003dc942ef98e070fcba81a4cee29e7f2d2f6a776be956758e77c41b1508d2e");
}

TEST_P(LedgerContract, StoresABatchWholeOrNotAtAll) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Batch large;
  for (int i = 0; i < 20'000; ++i) {
    large.runs.push_back(RunOf(i, i + 1, State::kOk, "check-" + std::to_string(i)));
  }
  large.agents.push_back(ExampleAgent());
  place_->Break();
  const absl::Status status = ledger_->Commit(large, At(9));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5"));
  EXPECT_EQ(ledger_->newest_record(), At(5)) << "what is not stored is no record";
  place_->Mend();
  Commit(large, 9);
  EXPECT_EQ(Told().size(), 20'001U);
  auto agents = (*ledger_->OpenReader())->Agents();
  ASSERT_TRUE(agents.ok());
  EXPECT_EQ(agents->size(), 1U);
  Reopen();
  EXPECT_EQ(Told().size(), 20'001U);
}

TEST_P(LedgerContract, AFrozenReaderStaysAtOneCommittedState) {
  Commit(Runs({RunOf(0, 60)}), 5);
  auto reader = ledger_->OpenReader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_TRUE((*reader)->Freeze().ok());
  ASSERT_TRUE((*reader)->Agents().ok());
  Commit(Runs({RunOf(60, 120, State::kCritical)}), 65);
  int count = 0;
  const auto visit = [&](const StoredSpan&) { ++count; };
  ASSERT_TRUE((*reader)->ForEachSpan(At(0), At(1'000), visit).ok());
  ASSERT_TRUE((*reader)->ForEachSpanOf("srv1", "disk", visit).ok());
  EXPECT_EQ(count, 2);
}

TEST_P(LedgerContract, SurvivesReopening) {
  Batch batch = Runs({RunOf(0, 60)});
  batch.agents.push_back(ExampleAgent());
  Commit(batch, 5);
  const std::string id = ledger_->id();
  const auto before = Told();
  Reopen();
  EXPECT_EQ(ledger_->id(), id);
  EXPECT_EQ(ledger_->newest_record(), At(5));
  EXPECT_EQ(Told(), before);
  Commit(Runs({RunOf(0, 90)}), 60);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-90 @5"));
}

TEST_P(LedgerContract, KeepsAnAgentsRowAsItWas) {
  Batch batch;
  batch.agents.push_back(ExampleAgent());
  Commit(batch, 5);
  batch.agents[0].version = "0.2.0";
  Commit(batch, 6);
  const auto rows = (*ledger_->OpenReader())->Agents();
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 1U);
  const AgentRow& row = rows->front();
  const AgentRow wanted = batch.agents[0];
  EXPECT_EQ(row.host, wanted.host);
  EXPECT_EQ(row.municipality, wanted.municipality);
  EXPECT_EQ(row.last_seen, wanted.last_seen);
  EXPECT_EQ(row.version, "0.2.0");
  EXPECT_EQ(row.os, wanted.os);
  EXPECT_EQ(row.interval, wanted.interval);
  EXPECT_EQ(row.watermarks, wanted.watermarks);
  ASSERT_EQ(row.runs.size(), 1U);
  EXPECT_EQ(row.runs[0].check, "disk");
  EXPECT_EQ(row.runs[0].state, State::kWarning);
  EXPECT_EQ(row.runs[0].since, At(0));
  EXPECT_EQ(row.runs[0].last, At(30));
  EXPECT_EQ(row.runs[0].valid_for, Millis(45'000));
  EXPECT_EQ(row.runs[0].text, wanted.runs[0].text);
  ASSERT_EQ(row.losses.size(), 1U);
  EXPECT_EQ(row.losses[0].check, "dns");
  EXPECT_EQ(row.losses[0].last, At(2));
}

TEST_P(LedgerContract, NeverRecordsBackwards) {
  Commit(Runs({RunOf(0, 60)}), 50);
  Commit(Runs({RunOf(60, 90, State::kCritical)}), 10);  // the machine's clock was set back
  EXPECT_THAT(Told(),
              testing::ElementsAre("srv1/disk ok 0-60 @50", "srv1/disk critical 60-90 @50"));
  EXPECT_EQ(ledger_->newest_record(), At(50));
}

TEST_P(LedgerContract, RefusesANewerSchema) {
  ledger_.reset();
  place_->MakeNewer();
  const auto opened = place_->Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(std::string(opened.status().message()), testing::HasSubstr("newer"));
}

TEST_P(LedgerContract, ReadsBesideAWriterOneCommittedState) {
  Commit(Runs({RunOf(0, 60), RunOf(60, 90, State::kCritical), RunOf(90, 99)}), 5);
  auto reader = ledger_->OpenReader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<std::string> seen;
  const absl::Status status = (*reader)->ForEachSpan(At(0), At(1000), [&](const StoredSpan& span) {
    seen.push_back(Tell(span));
    if (seen.size() == 1) Commit(Runs({RunOf(99, 120, State::kWarning)}), 100);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen.size(), 3U) << "the read began before that commit";
  EXPECT_EQ(Told().size(), 4U);
}

}  // namespace oppetid::collector
