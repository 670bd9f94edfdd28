// An uplink between a spool in memory, a made source of frames and a link that notes what it gets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/uplink.h"
#include "tests/support/fake_disk.h"
#include "tests/support/fake_link.h"

namespace oppetid::agent {

inline constexpr Millis kInterval{15'000};

class FakeSource : public FrameSource {
 public:
  void FillHello(v1::Hello* hello) override { hello->set_version("9.9"); }
  void StartStream(const v1::Limits& limits) override { series_limits.push_back(limits.series()); }
  void FillSnapshot(v1::Snapshot* snapshot) override {
    snapshot->add_runs()->set_text(std::to_string(++snapshots));
  }
  void OnCheckNow(const std::string& check) override { wishes.push_back(check); }

  int snapshots = 0;
  std::vector<uint32_t> series_limits;
  std::vector<std::string> wishes;
};

class UplinkTest : public testing::Test {
 protected:
  void Start(const std::vector<std::string>& addresses = {"a:1", "b:2"}) {
    auto spool = Spool::Open(disk_, {}, [] { return uint64_t{77}; });
    ASSERT_TRUE(spool.ok());
    spool_ = *std::move(spool);
    uplink_.emplace(addresses, kInterval, link_, *spool_, source_, [this] { return random_(); });
  }
  void AddFacts(int count) {
    std::vector<v1::Fact> facts(static_cast<size_t>(count));
    for (v1::Fact& fact : facts) fact.mutable_run()->set_check("portal");
    ASSERT_TRUE(spool_->Append(facts, wall_).ok());
  }
  void Tick() { uplink_->Tick(wall_, now_); }
  void Sent() { uplink_->OnSent(wall_, now_); }
  void Closed() { uplink_->OnClosed("gone", now_); }
  void Advance(Millis by) {
    wall_ += by;
    now_ += by;
  }
  void Receive(const v1::CollectorFrame& frame) { uplink_->OnFrame(frame, wall_, now_); }
  void Welcome(uint32_t frames = 8, uint32_t facts = 1'000) {
    v1::CollectorFrame frame;
    v1::Welcome* welcome = frame.mutable_welcome();
    welcome->set_ledger_id("ledger");
    welcome->set_now_ms(ToUnixMillis(wall_) + 250);
    welcome->mutable_limits()->set_series(123);
    welcome->mutable_limits()->set_frames_unacked(frames);
    welcome->mutable_limits()->set_facts_per_frame(facts);
    Receive(frame);
  }
  void Ack(uint64_t sequence) {
    v1::CollectorFrame frame;
    frame.mutable_ack()->set_epoch(77);
    frame.mutable_ack()->set_last_sequence(sequence);
    frame.mutable_ack()->set_now_ms(ToUnixMillis(wall_) - 40);
    Receive(frame);
  }
  // To where the first Snapshot has been sent and there is room for more.
  void Connect(uint32_t frames = 8, uint32_t facts = 1'000) {
    Tick();
    Sent();
    Welcome(frames, facts);
    Sent();
  }
  // One word for each frame sent since the last call.
  std::vector<std::string> Frames() {
    std::vector<std::string> words;
    for (; seen_ < link_.sent.size(); ++seen_) {
      const v1::AgentFrame& frame = link_.sent[seen_];
      if (frame.has_hello()) words.push_back("hello");
      if (frame.has_snapshot()) words.push_back("snapshot " + frame.snapshot().runs(0).text());
      if (frame.has_facts()) {
        words.push_back("facts " + std::to_string(frame.facts().first_sequence()) + "+" +
                        std::to_string(frame.facts().facts_size()));
      }
    }
    return words;
  }

  FakeDisk disk_;
  FakeLink link_;
  FakeSource source_;
  std::function<uint64_t()> random_ = [] { return uint64_t{0}; };
  std::unique_ptr<Spool> spool_;
  std::optional<Uplink> uplink_;
  Instant wall_ = FromUnixMillis(1'782'900'000'000);
  Steady now_{std::chrono::hours(3)};
  size_t seen_ = 0;
};

}  // namespace oppetid::agent
