#include "agent/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/segment.h"
#include "tests/support/fake_disk.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }
const Instant kNow = At(1'000'000);

// A run of `check` that lasted one second from `since` and holds for another.
v1::Fact Fact(int64_t since, const std::string& check = "portal") {
  v1::Fact fact;
  v1::ClosedRun* run = fact.mutable_run();
  run->set_check(check);
  run->set_state(v1::STATE_OK);
  run->set_since_ms(since * 1'000);
  run->set_last_ms(since * 1'000 + 1'000);
  run->set_valid_for_ms(1'000);
  run->set_reason(v1::END_REASON_CHANGED);
  return fact;
}

// One line that says which fact it is.
std::string Text(const v1::Fact& fact) {
  if (fact.has_lost()) return "lost";
  if (fact.has_backup()) return "backup " + std::to_string(fact.backup().start_ms() / 1'000);
  if (fact.has_gap()) {
    return "gap " + fact.gap().check() + " " + std::to_string(fact.gap().from_ms() / 1'000) + "-" +
           std::to_string(fact.gap().to_ms() / 1'000);
  }
  return fact.run().check() + " " + std::to_string(fact.run().since_ms() / 1'000);
}

v1::Welcome WelcomeOf(const std::string& ledger,
                      const std::vector<std::pair<uint64_t, uint64_t>>& marks = {}) {
  v1::Welcome welcome;
  welcome.set_ledger_id(ledger);
  for (const auto& [epoch, sequence] : marks) {
    welcome.add_watermarks()->set_epoch(epoch);
    welcome.mutable_watermarks()->rbegin()->set_last_sequence(sequence);
  }
  return welcome;
}

class SpoolTest : public testing::Test {
 protected:
  void Open() {
    spool_.reset();
    auto spool = Spool::Open(disk_, options_, [this] { return ++epoch_; });
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
    Repair();
  }
  // As the core does it.
  void Repair(const std::vector<v1::Fact>& newest = {}) {
    if (spool_->needs_repair()) spool_->Repair(newest, false, {}, kNow);
  }
  void Append(const std::vector<v1::Fact>& facts, Instant now = kNow) {
    const auto status = spool_->Append(facts, now);
    ASSERT_TRUE(status.ok()) << status;
  }
  // All that would be sent from here on, each with "epoch/sequence" before it.
  std::vector<std::string> Drain(size_t max_facts = 1'000) {
    std::vector<std::string> texts;
    for (;;) {
      const auto frame = spool_->NextFrame(max_facts);
      if (!frame && !spool_->needs_repair()) break;
      Repair();
      EXPECT_TRUE(spool_->Append({}, kNow).ok());
      if (!frame) continue;
      EXPECT_GE(frame->facts_size(), 1);
      EXPECT_LE(static_cast<size_t>(frame->facts_size()), max_facts);
      uint64_t sequence = frame->first_sequence();
      for (const v1::Fact& fact : frame->facts()) {
        texts.push_back(std::to_string(frame->epoch()) + "/" + std::to_string(sequence++) + " " +
                        Text(fact));
      }
    }
    return texts;
  }
  std::vector<std::string> Epochs() {
    std::vector<std::string> texts;
    for (const auto& range : spool_->Epochs()) {
      texts.push_back(std::to_string(range.epoch()) + ": " +
                      std::to_string(range.first_sequence()) + "-" +
                      std::to_string(range.next_sequence()));
    }
    return texts;
  }
  // Facts of about a kilobyte each, which fill more than `bytes`; returns how many.
  int Fill(uint64_t bytes, const std::string& check) {
    int count = 0;
    for (uint64_t filled = 0; filled < bytes; filled += 50'000) {
      std::vector<v1::Fact> facts;
      for (int i = 0; i < 50; ++i) facts.push_back(Fact(++since_, check + std::string(960, 'x')));
      count += static_cast<int>(facts.size());
      Append(facts);
    }
    return count;
  }

  // Flips a bit in the payload of the segment's record `index`.
  void Damage(size_t index) {
    std::string& bytes = disk_.content("0000000000000001-0000000000000001.segment");
    const SegmentContent content = ReadSegment(bytes);
    const auto at = static_cast<size_t>(content.records[index].payload.data() - bytes.data());
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
  }

  FakeDisk disk_;
  SpoolOptions options_;
  uint64_t epoch_ = 0;
  int64_t since_ = 0;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, FactsAreNumberedFromOneAndSyncedOncePerBatch) {
  Open();
  Append({Fact(1), Fact(2)});
  Append({Fact(3)});
  EXPECT_EQ(disk_.syncs(), 2u);
  Append({});
  EXPECT_EQ(disk_.syncs(), 2u) << "nothing to store, nothing to wait for";
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-4"));
  EXPECT_EQ(spool_->stats().unacked_facts, 3u);
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "1/2 portal 2", "1/3 portal 3"));
  EXPECT_THAT(Drain(), IsEmpty());
}

TEST_F(SpoolTest, AFreshSpoolNamesItsEpoch) {
  Open();
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-1"));
  EXPECT_EQ(spool_->ledger_id(), "");
}

TEST_F(SpoolTest, FramesAreBounded) {
  Open();
  for (int i = 1; i <= 7; ++i) Append({Fact(i)});
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_EQ(Drain(3).size(), 7u);
}

TEST_F(SpoolTest, ARestartKeepsFactsAndBeginsAnEpoch) {
  Open();
  Append({Fact(1), Fact(2)});
  disk_.Crash();
  Open();
  Append({Fact(3)});
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-3", "2: 1-2"));
  EXPECT_EQ(spool_->stats().unacked_facts, 3u);
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_THAT(Drain(), ElementsAre("1/1 portal 1", "1/2 portal 2", "2/1 portal 3"));
}

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

TEST_F(SpoolTest, AWelcomeResumesAfterItsWatermarks) {
  Open();
  Append({Fact(1), Fact(2)});
  Open();
  Append({Fact(3), Fact(4)});
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 2}, {2, 1}}));
  EXPECT_EQ(spool_->ledger_id(), "ledger");
  EXPECT_EQ(spool_->stats().unacked_facts, 1u);
  EXPECT_THAT(Drain(), ElementsAre("2/2 portal 4"));
}

TEST_F(SpoolTest, WhatWasSentButNotAckedIsSentAgain) {
  Open();
  Append({Fact(1), Fact(2)});
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_EQ(Drain(1).size(), 2u);
  spool_->OnAck(1, 1);
  EXPECT_EQ(spool_->stats().unacked_facts, 1u);
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 1}}));
  EXPECT_THAT(Drain(), ElementsAre("1/2 portal 2"));
}

TEST_F(SpoolTest, AnOldAckTakesNothingBack) {
  Open();
  Append({Fact(1), Fact(2)});
  spool_->OnWelcome(WelcomeOf("ledger"));
  Drain();
  spool_->OnAck(1, 2);
  spool_->OnAck(1, 1);
  EXPECT_EQ(spool_->stats().unacked_facts, 0u);
}

TEST_F(SpoolTest, AnotherLedgerGetsEverythingAgain) {
  Open();
  Append({Fact(1), Fact(2)});
  spool_->OnWelcome(WelcomeOf("ledger"));
  Drain();
  spool_->OnAck(1, 2);
  spool_->OnWelcome(WelcomeOf("restored"));
  EXPECT_EQ(spool_->stats().unacked_facts, 2u);
  EXPECT_EQ(Drain().size(), 2u);
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

TEST_F(SpoolTest, TheSizeIsBounded) {
  options_.limit_bytes = 1'000'000;
  Open();
  for (int i = 0; i < 60; ++i) {
    Fill(50'000, "c");
    ASSERT_LE(disk_.bytes(), 1'000'000u);
    ASSERT_EQ(disk_.bytes(), spool_->stats().bytes);
  }
  EXPECT_GT(disk_.bytes(), 400'000u) << "what fits is kept";
  Open();
  EXPECT_EQ(disk_.bytes(), spool_->stats().bytes);
}

TEST_F(SpoolTest, TheOldestGoesWhenFullAndEachCheckGetsAGapOrTwo) {
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
  // A ledger may know how the run of 1 began, so a gap of its own ends that at 5.
  EXPECT_THAT(told, ElementsAre("gap a 1-3", "gap a 5-10", "gap b 7-9"));
  EXPECT_GE(spool_->stats().gap_ms, 9'000u);
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

TEST_F(SpoolTest, AckedFactsMakeRoomWithoutAGap) {
  options_.limit_bytes = 1'000'000;
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  for (int i = 0; i < 40; ++i) {
    Fill(50'000, "c");
    while (const auto frame = spool_->NextFrame(1'000)) {
      spool_->OnAck(frame->epoch(),
                    frame->first_sequence() + static_cast<uint64_t>(frame->facts_size()) - 1);
    }
  }
  EXPECT_LE(disk_.bytes(), 1'000'000u);
  EXPECT_EQ(spool_->stats().gap_ms, 0u);
}

TEST_F(SpoolTest, OnlyAckedFactsOlderThanRetainAreRemoved) {
  options_.retain = Millis(86'400'000);
  Open();
  Append({Fact(1'000)});
  Open();
  Append({Fact(2'000)});
  const Instant old = At(2'000) + 2 * options_.retain;
  spool_->Trim(old);
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-2", "2: 1-2")) << "not acked";
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 1}, {2, 1}}));
  spool_->Trim(At(1'002) + options_.retain - Millis(1));
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-2", "2: 1-2")) << "not old";
  spool_->Trim(old);
  EXPECT_THAT(Epochs(), ElementsAre("1: 2-2", "2: 1-2")) << "the one being written stays";
  EXPECT_EQ(spool_->Epochs()[0].acked_sequence(), 1u) << "that it was acked is remembered";
}

TEST_F(SpoolTest, AnAgentThatRestartsAllTheTimeKeepsItsHelloInBounds) {
  Open();
  constexpr int kFailures = 3'000;  // each begins an epoch, as a restart does
  for (int i = 0; i < kFailures; ++i) {
    Append({Fact(++since_)});
    disk_.fail_sync = true;
    EXPECT_FALSE(spool_->Append({Fact(since_ + 1)}, kNow).ok());
    disk_.fail_sync = false;
  }
  EXPECT_LE(spool_->Epochs().size(), 1'000u);
  EXPECT_GT(spool_->stats().gap_ms, 0u) << "what had to go is told";
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

TEST_F(SpoolTest, ARestartRemembersWhatWasAcked) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a")});
  spool_->OnWelcome(WelcomeOf("ledger"));
  Drain();
  spool_->OnAck(1, 1);
  spool_->SaveAcked();
  Open();
  EXPECT_EQ(spool_->ledger_id(), "ledger");
  EXPECT_EQ(spool_->stats().unacked_facts, 0u);
  EXPECT_EQ(spool_->Epochs()[0].acked_sequence(), 1u);
  while (Epochs()[0] != "1: 2-2") Fill(50'000, "c");  // until the oldest had to go
  for (const std::string& text : Drain()) {
    EXPECT_EQ(text.find("gap a"), std::string::npos) << text << ": it was delivered";
  }
}

TEST_F(SpoolTest, AnAckOfWhatWasNotSentIsNotBelieved) {
  Open();
  Append({Fact(1), Fact(2)});
  spool_->OnAck(1, 1);
  spool_->OnWelcome(WelcomeOf("ledger"));
  spool_->NextFrame(1);
  spool_->OnAck(1, 2);
  spool_->OnAck(9, 1);
  EXPECT_EQ(spool_->stats().acks_refused, 3u);
  EXPECT_EQ(spool_->stats().unacked_facts, 2u);
  spool_->OnAck(1, 1);
  EXPECT_EQ(spool_->stats().unacked_facts, 1u);
  // Whoever claims to have what is not written yet would take the next facts for repetitions.
  spool_->OnWelcome(WelcomeOf("ledger", {{1, 7}}));
  Append({Fact(3)});
  EXPECT_THAT(Epochs(), ElementsAre("1: 1-3", "2: 1-2"));
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

TEST_F(SpoolTest, KnowsTheBackupRunsThatItHolds) {
  Open();
  v1::Fact fact;
  fact.mutable_backup()->set_job("nightly");
  fact.mutable_backup()->set_kind(v1::BACKUP_KIND_BACKUP);
  fact.mutable_backup()->set_start_ms(5'000);
  EXPECT_FALSE(spool_->Knows(fact.backup()));
  disk_.fail_append = true;
  EXPECT_FALSE(spool_->Append({fact}, kNow).ok());
  EXPECT_FALSE(spool_->Knows(fact.backup()));
  disk_.fail_append = false;
  Append({fact});
  EXPECT_TRUE(spool_->Knows(fact.backup()));
  Open();
  EXPECT_TRUE(spool_->Knows(fact.backup()));
  fact.mutable_backup()->set_kind(v1::BACKUP_KIND_RESTORE_TEST);
  EXPECT_FALSE(spool_->Knows(fact.backup()));
}

}  // namespace
}  // namespace oppetid::agent
