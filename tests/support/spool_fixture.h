// A spool on a disk in memory that tears, fails and fills as the test says, and facts for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/segment.h"
#include "agent/spool.h"
#include "tests/support/fake_disk.h"

namespace oppetid::agent {

inline Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }
inline const Instant kNow = At(1'000'000);

// A run of `check` that lasted one second from `since` and holds for another.
inline v1::Fact Fact(int64_t since, const std::string& check = "portal") {
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
inline std::string Text(const v1::Fact& fact) {
  if (fact.has_lost()) return "lost";
  if (fact.has_backup()) return "backup " + std::to_string(fact.backup().start_ms() / 1'000);
  if (fact.has_gap()) {
    return "gap " + fact.gap().check() + " " + std::to_string(fact.gap().from_ms() / 1'000) + "-" +
           std::to_string(fact.gap().to_ms() / 1'000);
  }
  return fact.run().check() + " " + std::to_string(fact.run().since_ms() / 1'000);
}

inline v1::Welcome WelcomeOf(const std::string& ledger,
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

}  // namespace oppetid::agent
