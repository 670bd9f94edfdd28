// What every engine of the ledger promises (collector/ledger/ledger.h), as tests.
//
// An engine's test instantiates the suite with a function that makes a `LedgerPlace`: where its
// ledger lies, how it is opened, and how it is made to fail. Everything lives in one test process;
// nothing is shared between tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/ledger/ledger.h"
#include "tests/support/spans.h"

namespace oppetid::collector {

// One engine's ledger, somewhere of its own; gone with this object.
class LedgerPlace {
 public:
  virtual ~LedgerPlace() = default;
  // Opens what lies there, or makes it.
  virtual absl::StatusOr<std::unique_ptr<Ledger>> Open() = 0;
  // From now on writes fail for want of room, until Mend.
  virtual void Break() = 0;
  virtual void Mend() = 0;
  // Marks what lies there as written by a program with a newer schema.
  virtual void MakeNewer() = 0;
};

using MakeLedgerPlace = std::unique_ptr<LedgerPlace> (*)();

inline RunWrite RunOf(int64_t since, int64_t to, State state = State::kOk,
                      const std::string& check = "disk", bool grow_in_place = false) {
  return {"srv1", check, state, At(since), At(to), grow_in_place};
}

inline Batch Runs(std::vector<RunWrite> runs) {
  Batch batch;
  batch.runs = std::move(runs);
  return batch;
}

class LedgerContract : public testing::TestWithParam<MakeLedgerPlace> {
 protected:
  LedgerContract() : place_(GetParam()()) { Reopen(); }

  void Reopen() {
    ledger_.reset();
    auto opened = place_->Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    ledger_ = *std::move(opened);
  }
  void Commit(const Batch& batch, int64_t now) {
    const absl::Status status = ledger_->Commit(batch, At(now));
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<std::string> Told() const { return Spans(*ledger_); }

  std::unique_ptr<LedgerPlace> place_;
  std::unique_ptr<Ledger> ledger_;
};

inline AgentRow ExampleAgent() {
  AgentRow row;
  row.host = "srv1";
  row.municipality = "vik";
  row.last_seen = At(7);
  row.version = "0.1.0";
  row.os = "Debian \"12\"\tå";
  row.interval = Millis(15'000);
  row.watermarks = {{1, 5}, {UINT64_MAX, UINT64_MAX - 1}};
  row.runs.push_back(
      {"disk", State::kWarning, At(0), At(30), Millis(45'000), "91 % full\tof 1 TB"});
  return row;
}

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

TEST_P(LedgerContract, GrowsInPlaceWhileARunHasNotRunOut) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(0, 90)}), 60);  // the very end: it has not run out before
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-90 @5"));
}

TEST_P(LedgerContract, MakesAPieceOfItsOwnOnceARunHasRunOut) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(0, 200)}), 61);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk ok 60-200 @61"));
  Commit(Runs({RunOf(0, 260)}), 150);  // now the second piece grows
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk ok 60-260 @61"));
}

TEST_P(LedgerContract, GrowsInPlaceLaterIfItWasKnownInTime) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(0, 100, State::kOk, "disk", /*grow_in_place=*/true)}), 300);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-100 @5"));
}

TEST_P(LedgerContract, NeverShortensARun) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(0, 30)}), 6);
  Commit(Runs({RunOf(0, 30)}), 600);
  Commit(Runs({RunOf(0, 0)}), 600);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5"));
}

TEST_P(LedgerContract, TellsRunsOfOneStartApartByTheirState) {
  Commit(Runs({RunOf(0, 60), RunOf(0, 50, State::kCritical)}), 5);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk critical 0-50 @5"));
}

TEST_P(LedgerContract, LeavesOutPiecesThatALaterRunHasOvertaken) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(50, 90, State::kCritical)}), 70);
  Commit(Runs({RunOf(0, 200)}), 300);  // a piece from 60, but the run from 50 decides there
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk critical 50-90 @70"));
  Commit(Runs({RunOf(50, 300, State::kCritical)}), 400);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk critical 50-90 @70",
                                           "srv1/disk critical 90-300 @400"));
}

TEST_P(LedgerContract, KeepsAPieceBeforeALaterRun) {
  Commit(Runs({RunOf(0, 60)}), 5);
  Commit(Runs({RunOf(100, 160, State::kCritical)}), 110);
  Commit(Runs({RunOf(0, 130)}), 120);  // from 60, where the run from 100 does not yet decide
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk ok 60-130 @120",
                                           "srv1/disk critical 100-160 @110"));
}

TEST_P(LedgerContract, StoresGapsBesideRuns) {
  Batch batch = Runs({RunOf(0, 60)});
  batch.gaps.push_back({"srv1", "disk", At(0), At(90), "the spool\nwas \"full\""});
  Commit(batch, 5);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk ok 0-60 @5",
                                           "srv1/disk gap(the spool\nwas \"full\") 0-90 @5"));
}

TEST_P(LedgerContract, ExtendsAnOpenRunByTheAgentsRow) {
  Batch batch = Runs({RunOf(0, 60, State::kWarning)});
  batch.agents.push_back(ExampleAgent());
  Commit(batch, 5);
  EXPECT_THAT(Told(), testing::ElementsAre("srv1/disk warning 0-75 @5"));
  // Only the newest piece is the one that goes on.
  Commit(Runs({RunOf(0, 70, State::kWarning)}), 65);
  EXPECT_THAT(Told(),
              testing::ElementsAre("srv1/disk warning 0-60 @5", "srv1/disk warning 60-75 @65"));
  EXPECT_THAT(Spans(*ledger_, At(72), At(1000)),
              testing::ElementsAre("srv1/disk warning 60-75 @65"));
}

TEST_P(LedgerContract, ReadsOnlyWhatTouchesTheRange) {
  Commit(Runs({RunOf(0, 60), RunOf(60, 120, State::kCritical), RunOf(120, 180)}), 5);
  EXPECT_THAT(Spans(*ledger_, At(60), At(120)),
              testing::ElementsAre("srv1/disk critical 60-120 @5"));
  EXPECT_THAT(Spans(*ledger_, At(59), At(121)), testing::SizeIs(3));
  EXPECT_THAT(Spans(*ledger_, At(180), At(999)), testing::IsEmpty());
}

TEST_P(LedgerContract, SortsByHostCheckAndStart) {
  Batch batch =
      Runs({RunOf(60, 90), RunOf(0, 60, State::kCritical), RunOf(0, 60, State::kOk, "cpu")});
  batch.runs.push_back({"alpha", "zz", State::kOk, At(5), At(9), false});
  Commit(batch, 1);
  EXPECT_THAT(Told(), testing::ElementsAre("alpha/zz ok 5-9 @1", "srv1/cpu ok 0-60 @1",
                                           "srv1/disk critical 0-60 @1", "srv1/disk ok 60-90 @1"));
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

// Whatever is known of runs, in whatever order and batches it arrives while they hold, and however
// often: the spans are the same.
TEST_P(LedgerContract, GivesTheSameSpansForEveryOrderOfArrival) {
  std::mt19937 random(20260703);  // fixed, so that a failure can be seen again
  const auto below = [&](int n) {
    return static_cast<int64_t>(random() % static_cast<unsigned>(n));
  };
  for (int round = 0; round < 6; ++round) {
    std::vector<RunWrite> writes;
    std::vector<GapWrite> gaps;
    for (int i = 0; i < 30; ++i) {
      const auto state = static_cast<State>(below(4));
      const std::string check = "c" + std::to_string(below(3));
      const int64_t since = below(20) * 10;
      for (int64_t step = 1 + below(4); step > 0; --step) {
        writes.push_back(RunOf(since, since + step * 10, state, check));
      }
      if (below(5) == 0) gaps.push_back({"srv1", check, At(since), At(since + 15), "lost"});
    }
    std::vector<std::string> first;
    for (int order = 0; order < 4; ++order) {
      const auto place = GetParam()();
      auto ledger = place->Open();
      ASSERT_TRUE(ledger.ok()) << ledger.status();
      std::shuffle(writes.begin(), writes.end(), random);
      for (size_t next = 0; next < writes.size();) {
        Batch batch;
        for (int64_t n = 1 + below(9); n > 0 && next < writes.size(); --n) {
          batch.runs.push_back(writes[next++]);
        }
        if (next == writes.size()) batch.gaps = gaps;
        for (int64_t times = 1 + below(2); times > 0; --times) {
          ASSERT_TRUE((*ledger)->Commit(batch, At(-1)).ok());
        }
      }
      const auto told = Spans(**ledger);
      if (order == 0) first = told;
      EXPECT_EQ(told, first) << "round " << round << ", order " << order;
    }
  }
}

// However late and piecemeal it arrives, what decides at each instant is the same.
TEST_P(LedgerContract, DecidesTheSameForEveryTimeOfArrival) {
  std::mt19937 random(7);
  const auto below = [&](int n) {
    return static_cast<int64_t>(random() % static_cast<unsigned>(n));
  };
  for (int round = 0; round < 8; ++round) {
    std::vector<RunWrite> writes;
    for (int64_t since = 0; since < 200; since += 1 + below(30)) {
      const auto state = static_cast<State>(below(4));
      for (int64_t step = 1 + below(4); step > 0; --step) {
        writes.push_back(RunOf(since, since + step * 12, state));
      }
    }
    // Who decides at each second: the greatest start at or before it, until its end.
    const auto decided = [](const std::vector<StoredSpan>& spans) {
      std::string line;
      for (int64_t second = 0; second < 260; ++second) {
        const StoredSpan* best = nullptr;
        for (const StoredSpan& span : spans) {
          if (span.from <= At(second) && (best == nullptr || span.from >= best->from)) best = &span;
        }
        const bool holds = best != nullptr && At(second) < best->to;
        line += holds ? StateName(best->state)[0] : '-';
      }
      return line;
    };
    std::vector<StoredSpan> at_once;
    for (const RunWrite& write : writes) {
      const auto same = std::find_if(at_once.begin(), at_once.end(), [&](const StoredSpan& span) {
        return span.from == write.since && span.state == write.state;
      });
      if (same == at_once.end()) {
        at_once.push_back({"srv1", "disk", write.state, write.since, write.to, At(0), false, ""});
      } else {
        same->to = std::max(same->to, write.to);
      }
    }
    const auto place = GetParam()();
    auto ledger = place->Open();
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    std::shuffle(writes.begin(), writes.end(), random);
    int64_t now = 0;
    for (const RunWrite& write : writes) {
      now += below(30);
      ASSERT_TRUE((*ledger)->Commit(Runs({write}), At(now)).ok());
    }
    std::vector<StoredSpan> read;
    ASSERT_TRUE((*(*ledger)->OpenReader())
                    ->ForEachSpan(At(-1), At(1000), [&](const StoredSpan& s) { read.push_back(s); })
                    .ok());
    EXPECT_EQ(decided(read), decided(at_once)) << "round " << round;
  }
}

}  // namespace oppetid::collector
