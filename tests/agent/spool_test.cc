#include "agent/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  }
  void Append(const std::vector<v1::Fact>& facts, Instant now = kNow) {
    const auto status = spool_->Append(facts, now);
    ASSERT_TRUE(status.ok()) << status;
  }
  // All that would be sent from here on, each with "epoch/sequence" before it.
  std::vector<std::string> Drain(size_t max_facts = 1'000) {
    std::vector<std::string> texts;
    while (const auto frame = spool_->NextFrame(max_facts)) {
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
    EXPECT_THAT(disk_.Names(), IsEmpty());
    disk_.*fault = false;
    Append({Fact(1)});
    EXPECT_THAT(Epochs(), ElementsAre("2: 1-2"));
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

TEST_F(SpoolTest, ADamagedRecordBecomesALostInItsPlace) {
  Open();
  Append({Fact(1), Fact(2), Fact(3)});
  std::string& bytes = disk_.content(disk_.Names()[0]);
  const SegmentContent content = ReadSegment(bytes);
  const auto at = static_cast<size_t>(content.records[1].payload.data() - bytes.data());
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  const std::vector<std::string> expected = {"portal 1", "lost", "portal 3"};
  for (const bool restarted : {false, true}) {
    if (restarted) Open();
    spool_->OnWelcome(WelcomeOf("ledger"));
    for (const size_t max_facts : {size_t{1}, size_t{2}, size_t{1'000}}) {
      spool_->OnWelcome(WelcomeOf("ledger"));
      const auto sent = Drain(max_facts);
      ASSERT_EQ(sent.size(), 3u);
      for (size_t i = 0; i < sent.size(); ++i) {
        EXPECT_EQ(sent[i], "1/" + std::to_string(i + 1) + " " + expected[i]);
      }
    }
  }
}

TEST_F(SpoolTest, ADamagedFirstRecordIsLostToo) {
  Open();
  Append({Fact(1), Fact(2)});
  disk_.content(disk_.Names()[0])[0] = 'X';
  Open();
  spool_->OnWelcome(WelcomeOf("ledger"));
  EXPECT_THAT(Drain(), ElementsAre("1/1 lost", "1/2 portal 2"));
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

TEST_F(SpoolTest, TheOldestGoesWhenFullAndBecomesOneGapPerCheck) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a"), Fact(5, "a"), Fact(7, "b")});
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
  EXPECT_THAT(told, ElementsAre("gap a 1-7", "gap b 7-9"));
  EXPECT_GE(spool_->stats().gap_ms, 8'000u);
}

TEST_F(SpoolTest, WhatHadToGoIsToldEvenIfTheDiskRefusesAtFirst) {
  options_.limit_bytes = 1'000'000;
  Open();
  Append({Fact(1, "a")});
  const uint64_t before_it_is_full = 1'000'000 - 256'000;
  while (disk_.bytes() <= before_it_is_full) Fill(50'000, "c");
  ASSERT_EQ(spool_->stats().gap_ms, 0u);
  disk_.fail_append = true;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(spool_->Append({Fact(9'000)}, kNow).ok());
  EXPECT_LT(disk_.bytes(), before_it_is_full) << "the oldest had to go";
  disk_.fail_append = false;
  Append({Fact(9'000)});
  const auto sent = Drain();
  EXPECT_THAT(sent, testing::Contains(HasSubstr("gap a 1-3")));
  EXPECT_THAT(sent, testing::Contains(HasSubstr("gap c")));
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
  EXPECT_THAT(Epochs(), ElementsAre("2: 1-2")) << "the one being written stays";
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

}  // namespace
}  // namespace oppetid::agent
