// What every engine of the ledger promises of runs, gaps and the spans that they are read as. Part
// of ledger_contract.h.
#pragma once

#include <algorithm>
#include <random>

#include "tests/contract/ledger_place.h"

namespace oppetid::collector {

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

TEST_P(LedgerContract, ReadsWhatBeginsAfterTheFirstThatTouches) {
  // Three runs of one check, the first outliving the second: at 100 the second has decided.
  Commit(Runs({RunOf(0, 200), RunOf(10, 20, State::kCritical), RunOf(150, 160)}), 5);
  EXPECT_THAT(Spans(*ledger_, At(100), At(120)),
              testing::ElementsAre("srv1/disk ok 0-200 @5", "srv1/disk critical 10-20 @5"));
}

TEST_P(LedgerContract, ReadsOneCheckWhole) {
  Commit(Runs({RunOf(0, 60), RunOf(60, 120, State::kCritical), RunOf(0, 60, State::kOk, "cpu")}),
         5);
  auto reader = ledger_->OpenReader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<std::string> told;
  const auto tell = [&](const StoredSpan& span) { told.push_back(Tell(span)); };
  ASSERT_TRUE((*reader)->ForEachSpanOf("srv1", "disk", tell).ok());
  ASSERT_TRUE((*reader)->ForEachSpanOf("srv1", "none", tell).ok());
  EXPECT_THAT(told, testing::ElementsAre("srv1/disk ok 0-60 @5", "srv1/disk critical 60-120 @5"));
}

TEST_P(LedgerContract, SortsByHostCheckAndStart) {
  Batch batch =
      Runs({RunOf(60, 90), RunOf(0, 60, State::kCritical), RunOf(0, 60, State::kOk, "cpu")});
  batch.runs.push_back({"alpha", "zz", State::kOk, At(5), At(9), false});
  Commit(batch, 1);
  EXPECT_THAT(Told(), testing::ElementsAre("alpha/zz ok 5-9 @1", "srv1/cpu ok 0-60 @1",
                                           "srv1/disk critical 0-60 @1", "srv1/disk ok 60-90 @1"));
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
