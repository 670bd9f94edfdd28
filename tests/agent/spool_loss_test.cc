// What a disk that tears, fails or is full may cost, and how it is told.
#include "tests/support/spool_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(SpoolTest, ATornTailCostsOnlyItself) {
  for (size_t torn = 0; torn < 40; ++torn) {
    SCOPED_TRACE(torn);
    disk_ = FakeDisk();
    Open();
    Append({Fact(1)});
    disk_.fail_sync = true;
    EXPECT_FALSE(spool_->Append({Fact(2)}, kNow).ok());
    disk_.fail_sync = false;
    disk_.Crash(torn);
    Open();
    spool_->OnWelcome(WelcomeOf("ledger"));
    const auto sent = Drain();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_THAT(sent[0], HasSubstr("portal 1"));
  }
}

TEST_F(SpoolTest, AFailedWriteOrSyncBeginsAnEpochAndStoresNothing) {
  for (bool FakeDisk::*fault : {&FakeDisk::fail_append, &FakeDisk::fail_sync}) {
    disk_ = FakeDisk();
    epoch_ = 0;
    Open();
    Append({Fact(1)});
    disk_.*fault = true;
    EXPECT_FALSE(spool_->Append({Fact(2), Fact(3)}, kNow).ok());
    EXPECT_EQ(spool_->stats().unacked_facts, 1u);
    disk_.*fault = false;
    Append({Fact(2), Fact(3)});
    EXPECT_THAT(Epochs(), ElementsAre("1: 1-2", "2: 1-3"));
    spool_->OnWelcome(WelcomeOf("ledger"));
    EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "2/1 portal 2", "2/2 portal 3"));
  }
}

TEST_F(SpoolTest, AFailureToBeginASegmentLeavesNothingBehind) {
  for (bool FakeDisk::*fault :
       {&FakeDisk::fail_create, &FakeDisk::fail_append, &FakeDisk::fail_sync}) {
    disk_ = FakeDisk();
    epoch_ = 0;
    Open();
    disk_.*fault = true;
    EXPECT_FALSE(spool_->Append({Fact(1)}, kNow).ok());
    EXPECT_THAT(disk_.Names(), testing::Each("reserve"));
    disk_.*fault = false;
    Append({Fact(1)});
    const bool written = fault != &FakeDisk::fail_create;
    EXPECT_THAT(Epochs(), ElementsAre(written ? "2: 1-2" : "1: 1-2"));
  }
}

TEST_F(SpoolTest, FactsOfAFailedWriteMayComeBackButNeverHideOthers) {
  Open();
  Append({Fact(1)});
  disk_.fail_sync = true;
  EXPECT_FALSE(spool_->Append({Fact(2)}, kNow).ok());
  disk_.fail_sync = false;
  Append({Fact(2), Fact(3)});
  disk_.Crash(1'000'000);  // the disk had kept it after all
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "1/2 portal 2", "2/1 portal 2", "2/2 portal 3"));
}

TEST_F(SpoolTest, WhatAKilledLifeDidNotSyncIsDurableBeforeItIsTold) {
  v1::Fact backup;
  backup.mutable_backup()->set_job("nightly");
  backup.mutable_backup()->set_start_ms(5'000);
  Open();
  Append({Fact(1)});
  disk_.fail_sync = true;  // as if it were killed between the write and the sync
  EXPECT_FALSE(spool_->Append({Fact(3), backup}, kNow).ok());
  Open();
  EXPECT_FALSE(spool_->Knows(backup.backup())) << "the power may still take it";
  disk_.fail_sync = false;
  Open();
  EXPECT_TRUE(spool_->Knows(backup.backup()));
  disk_.Crash();
  Open();
  EXPECT_TRUE(spool_->Knows(backup.backup()));
  EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "1/2 portal 3", "1/3 backup 5"));
}

TEST_F(SpoolTest, ADamagedRecordBecomesALostInItsPlaceAndAGap) {
  for (const bool restarted : {false, true}) {
    for (const size_t max_facts : {size_t{1}, size_t{2}, size_t{1'000}}) {
      disk_ = FakeDisk();
      epoch_ = 0;
      Open();
      Append({Fact(1), Fact(4), Fact(9), Fact(2, "other")});
      Damage(1);
      if (restarted) Open();
      spool_->OnWelcome(WelcomeOf("ledger"));
      const std::string gap = restarted ? "2/1 gap portal 2-9" : "1/5 gap portal 2-9";
      EXPECT_THAT(Drain(max_facts),
                  ElementsAre("1/1 portal 1", "1/2 lost", "1/3 portal 9", "1/4 other 2", gap))
          << restarted << max_facts;
    }
  }
}

TEST_F(SpoolTest, NothingAfterAHoleIsSentBeforeItsGapIsDurable) {
  Open();
  Append({Fact(1), Fact(4), Fact(9)});
  Damage(1);
  Open();
  disk_.fail_append = true;
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_EQ(spool_->NextFrame(1'000)->facts_size(), 1) << "what stands before the hole";
  EXPECT_FALSE(spool_->NextFrame(1'000));
  EXPECT_FALSE(spool_->Append({}, kNow).ok());
  EXPECT_FALSE(spool_->NextFrame(1'000));
  disk_.fail_append = false;
  EXPECT_TRUE(spool_->Append({}, kNow).ok());
  EXPECT_EQ(spool_->NextFrame(1'000)->facts_size(), 2);
}

TEST_F(SpoolTest, ADamagedFirstOrLastRecordIsToldToo) {
  Open();
  Append({Fact(1), Fact(4), Fact(9)});
  Damage(1);
  Damage(0);
  ASSERT_NO_FATAL_FAILURE(Open());
  spool_->OnWelcome(WelcomeOf("ledger"));
  // The first of its check and one more: nothing is known of the time before the third.
  EXPECT_THAT(Drain(), ElementsAre("1/1 lost", "1/2 lost", "1/3 portal 9"));
  disk_ = FakeDisk();
  epoch_ = 0;
  Open();
  Append({Fact(1), Fact(4)});
  Damage(1);
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "1/2 lost", "2/1 gap portal 2-1000000"));
}

TEST_F(SpoolTest, WhatIsAckedIsNotLostWhateverBecomesOfIt) {
  Open();
  Append({Fact(1), Fact(4), Fact(9)});
  spool_->OnWelcome(WelcomeOf("ledger"));
  Drain();
  spool_->OnAck(1, 3);
  spool_->SaveAcked();
  Damage(1);
  Open();
  EXPECT_FALSE(spool_->gaps_wait());
  EXPECT_EQ(spool_->stats().unacked_facts, 0u);
  // Until a ledger comes back that has less.
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 1}}));
  EXPECT_THAT(Drain(), ElementsAre("1/2 lost", "1/3 portal 9", "2/1 gap portal 2-9"));
}

TEST_F(SpoolTest, ALedgerThatHasLessIsRememberedAtOnce) {
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  Append({Fact(1), Fact(4)});
  Drain();
  spool_->OnAck(1, 2);
  spool_->SaveAcked();
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 1}}));
  disk_.Crash();
  Open();
  EXPECT_EQ(spool_->Epochs().front().acked_sequence(), 1u);
}

TEST_F(SpoolTest, ASegmentOfWhichNothingCanBeReadIsNotDroppedInSilence) {
  for (const bool garbage : {false, true}) {
    disk_ = FakeDisk();
    epoch_ = 0;
    Open();
    Append({Fact(1)});
    Open();
    Append({Fact(4)});
    Open();
    Append({Fact(9)});
    const std::string name = "0000000000000002-0000000000000002.segment";
    if (garbage) {
      disk_.content(name) = "this is no segment of any spool";
      Open();
    } else {
      disk_.unreadable = name;
      Open();
      disk_.unreadable.clear();
    }
    EXPECT_THAT(Epochs(), ElementsAre("1: 1-2", "3: 1-2", "4: 1-1"));
    Append({Fact(20)});
    spool_->OnWelcome(WelcomeOf("ledger"));
    EXPECT_THAT(Drain(),
                ElementsAre("1/1 portal 1", "3/1 portal 9", "4/1 gap portal 2-9", "4/2 portal 20"));
    EXPECT_EQ(std::ranges::count(disk_.Names(), name), garbage ? 0 : 1)
        << "what may come back is kept";
  }
}

TEST_F(SpoolTest, ForeignFilesAndEmptySegmentsAreNoReasonNotToStart) {
  ASSERT_TRUE(disk_.Replace("open-runs", "whatever").ok());
  ASSERT_TRUE(disk_.Replace("0000000000000001-0000000000000002.segment", "garbage").ok());
  ASSERT_TRUE(disk_.Replace("zzzzzzzzzzzzzzzz-0000000000000002.segment", "garbage").ok());
  disk_.fail_remove = true;
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-1"));
  Append({Fact(1)});
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-2"));
}

TEST_F(SpoolTest, ADirectoryThatCannotBeReadIsAnError) {
  disk_.fail_read = true;
  EXPECT_FALSE(Spool::Open(disk_, options_, [] { return uint64_t{1}; }).ok());
}

TEST_F(SpoolTest, TheOldestGoesWhenFullAndEachRunBecomesAGap) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a"), Fact(5, "a"), Fact(8, "a"), Fact(7, "b")});
  std::vector<std::string> told;
  // Read as it is written, so that no gap is itself dropped before it is seen.
  const auto read = [&] {
    for (const std::string& text : Drain()) {
      if (text.find("gap a") != std::string::npos || text.find("gap b") != std::string::npos) {
        told.push_back(text.substr(text.find("gap ")));
      }
    }
  };
  while (told.empty() && since_ < 5'000) {
    Fill(50'000, "c");
    read();
  }
  // A ledger may know how each run began, so that only the next one's gap ends its state.
  EXPECT_THAT(told, ElementsAre("gap a 1-3", "gap a 5-7", "gap a 8-10", "gap b 7-9"));
  EXPECT_GE(spool_->stats().gap_ms, 9'000u);
}

TEST_F(SpoolTest, ManyLostRunsOfACheckShareTheLastGap) {
  options_.limit_bytes = 1'000'000;
  Open();
  std::vector<v1::Fact> facts;
  for (int64_t since = 1; since <= 40; since += 2) facts.push_back(Fact(since, "a"));
  Append(std::move(facts));
  std::vector<std::string> told;
  while (told.empty() && since_ < 5'000) {
    Fill(50'000, "c");
    for (const std::string& text : Drain()) {
      if (text.find("gap a") != std::string::npos) told.push_back(text.substr(text.find("gap ")));
    }
  }
  ASSERT_EQ(told.size(), 16u);
  EXPECT_EQ(told.front(), "gap a 1-3");
  EXPECT_EQ(told.back(), "gap a 31-41");
}

TEST_F(SpoolTest, WhatHadToGoIsNotAckedByAWelcomeThatPassesItBy) {
  options_.limit_bytes = 1'000'000;
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  Append({Fact(1, "a"), Fact(2, "a")});
  spool_->NextFrame(1'000);
  spool_->OnAck(1, 1);
  while (spool_->Epochs().front().first_sequence() < 3) Fill(50'000, "c");
  const uint64_t first = spool_->Epochs().front().first_sequence();
  spool_->OnWelcome(WelcomeOf("ledger", {{1, first - 1}}));
  // A ledger that is then lost with its last commit must not be taken for one that had them.
  EXPECT_EQ(spool_->Epochs().front().acked_sequence(), 1u);
  EXPECT_THAT(Drain().front(), testing::StartsWith("1/" + std::to_string(first) + " "));
  spool_->OnWelcome(WelcomeOf("ledger", {{1, first}}));
  EXPECT_EQ(spool_->Epochs().front().acked_sequence(), first);
}

TEST_F(SpoolTest, WhatHasToGoStaysUntilItsGapIsDurable) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a")});
  while (spool_->stats().bytes <= 490'000) Fill(50'000, "c");
  disk_.fail_sync = true;  // as if it were killed there
  EXPECT_FALSE(spool_->Append({Fact(9'000)}, kNow).ok());
  disk_.Crash();
  disk_.fail_sync = false;
  options_.limit_bytes = 2'000'000;
  Open();
  EXPECT_EQ(Drain().front(), "1/1 a 1");
}

TEST_F(SpoolTest, WhatHadToGoIsToldEvenIfTheDiskRefusesAtFirst) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a")});
  const uint64_t before_it_is_full = 490'000;
  while (disk_.bytes() <= before_it_is_full) Fill(50'000, "c");
  ASSERT_EQ(spool_->stats().gap_ms, 0u);
  disk_.fail_append = true;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(spool_->Append({Fact(9'000)}, kNow).ok());
  EXPECT_LT(spool_->stats().bytes, before_it_is_full) << "the oldest had to go";
  disk_.fail_append = false;
  Append({Fact(9'000)});
  const auto sent = Drain();
  EXPECT_THAT(sent, testing::Contains(HasSubstr("gap a 1-3")));
  EXPECT_THAT(sent, testing::Contains(HasSubstr("gap c")));
  EXPECT_LT(disk_.bytes(), before_it_is_full);
}

TEST_F(SpoolTest, AFullDiskIsMetBetweenSegments) {
  options_.segment_bytes = 10'000;
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1)});
  disk_.capacity = disk_.taken();
  for (int i = 2; i <= 300; ++i) Append({Fact(i)});  // room was set aside
  EXPECT_GT(disk_.bytes(), 10'000u);
  EXPECT_EQ(std::ranges::count(disk_.Names(), "reserve"), 0) << "the reserve is used";
}

TEST_F(SpoolTest, OnAFullDiskTheOldestMakesRoomAndBecomesAGap) {
  options_.segment_bytes = 2'000;
  Open();
  for (int i = 1; i <= 100; ++i) Append({Fact(i)});
  disk_.capacity = disk_.taken();
  for (int i = 101; i <= 300; ++i) Append({Fact(i)});
  EXPECT_GT(spool_->stats().gap_ms, 0u);
  EXPECT_LE(disk_.taken(), disk_.capacity);
  spool_->OnWelcome(WelcomeOf("ledger"));
  const auto sent = Drain();
  EXPECT_THAT(sent.back(), HasSubstr("portal 300"));
  EXPECT_THAT(sent, testing::Contains(HasSubstr("gap portal 1-")));
}

}  // namespace
}  // namespace oppetid::agent
