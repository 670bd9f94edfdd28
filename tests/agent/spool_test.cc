#include "tests/support/spool_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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
