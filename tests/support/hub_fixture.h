// A hub without its edges: streams that note what they are sent, a ledger that commits when the
// test says so, a clock that stands still.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/hub.h"
#include "tests/support/manual_clock.h"

namespace oppetid::collector {

// 2026-07-03T10:00:00Z.
inline constexpr int64_t kHubStartMs = 1'783'072'800'000;

class FakeLink : public SessionLink {
 public:
  void Send(const v1::CollectorFrame& frame) override { sent.push_back(frame); }
  void Close(const absl::Status& status) override { closed = status; }

  // The sequences acked so far, in order.
  std::vector<uint64_t> Acks() const {
    std::vector<uint64_t> acks;
    for (const auto& frame : sent) {
      if (frame.has_ack()) acks.push_back(frame.ack().last_sequence());
    }
    return acks;
  }
  // Why it was closed; empty while it is open.
  std::string Why() const { return closed ? std::string(closed->message()) : ""; }

  std::vector<v1::CollectorFrame> sent;
  std::optional<absl::Status> closed;
};

class FakeWriter : public LedgerWriter {
 public:
  void Commit(std::shared_ptr<const Batch> batch, Instant now,
              std::function<void(absl::Status)> done) override {
    EXPECT_FALSE(done_) << "one commit at a time";
    batch_ = std::move(batch);
    at = now;
    done_ = std::move(done);
  }
  bool busy() const { return static_cast<bool>(done_); }
  // What is being committed.
  const Batch& batch() const { return *batch_; }
  // Ends the commit under way.
  void Complete(const absl::Status& status = absl::OkStatus()) {
    ASSERT_TRUE(done_);
    if (status.ok()) stored.push_back(*batch_);
    std::exchange(done_, nullptr)(status);
  }
  // Ends commits until none is under way.
  void Drain() {
    while (busy()) Complete();
  }

  std::vector<Batch> stored;  // those that succeeded
  Instant at;

 private:
  std::shared_ptr<const Batch> batch_;
  std::function<void(absl::Status)> done_;
};

inline v1::AgentFrame HelloFrame(uint64_t epoch, const std::vector<std::string>& checks = {"disk"},
                                 uint64_t first_sequence = 1) {
  v1::AgentFrame frame;
  v1::Hello* hello = frame.mutable_hello();
  hello->set_version("0.1.0");
  hello->set_os("Debian 12");
  hello->set_now_ms(kHubStartMs);
  hello->set_interval_ms(15'000);
  for (const std::string& name : checks) {
    v1::CheckInfo* check = hello->add_checks();
    check->set_name(name);
    check->set_valid_for_ms(45'000);
  }
  v1::EpochRange* range = hello->add_epochs();
  range->set_epoch(epoch);
  range->set_first_sequence(first_sequence);
  range->set_next_sequence(first_sequence);
  return frame;
}

// Seconds are counted from kHubStartMs.
inline v1::Fact RunFact(int64_t since, int64_t last, v1::State state = v1::STATE_OK,
                        const std::string& check = "disk") {
  v1::Fact fact;
  v1::ClosedRun* run = fact.mutable_run();
  run->set_check(check);
  run->set_state(state);
  run->set_since_ms(kHubStartMs + since * 1000);
  run->set_last_ms(kHubStartMs + last * 1000);
  run->set_valid_for_ms(45'000);
  run->set_reason(v1::END_REASON_CHANGED);
  return fact;
}

inline v1::Fact GapFact(int64_t from, int64_t to, const std::string& check = "disk") {
  v1::Fact fact;
  fact.mutable_gap()->set_check(check);
  fact.mutable_gap()->set_from_ms(kHubStartMs + from * 1000);
  fact.mutable_gap()->set_to_ms(kHubStartMs + to * 1000);
  fact.mutable_gap()->set_reason("lost");
  return fact;
}

inline v1::AgentFrame FactsFrame(uint64_t epoch, uint64_t first,
                                 const std::vector<v1::Fact>& facts) {
  v1::AgentFrame frame;
  frame.mutable_facts()->set_epoch(epoch);
  frame.mutable_facts()->set_first_sequence(first);
  for (const v1::Fact& fact : facts) *frame.mutable_facts()->add_facts() = fact;
  return frame;
}

inline void AddRun(v1::AgentFrame* frame, uint32_t check, int64_t since, int64_t last,
                   v1::State state = v1::STATE_OK) {
  v1::OpenRun* run = frame->mutable_snapshot()->add_runs();
  run->set_check(check);
  run->set_state(state);
  run->set_since_ms(kHubStartMs + since * 1000);
  run->set_last_ms(kHubStartMs + last * 1000);
  run->set_valid_for_ms(45'000);
  run->set_text("as seen");
}

inline v1::AgentFrame SnapshotFrame(int64_t now) {
  v1::AgentFrame frame;
  frame.mutable_snapshot()->set_now_ms(kHubStartMs + now * 1000);
  return frame;
}

class HubFixture : public testing::Test {
 protected:
  struct Stream {
    Hub::SessionId id;
    std::shared_ptr<FakeLink> link;
  };

  HubFixture() { Restart({}); }

  void Restart(const std::vector<AgentRow>& stored) {
    hub_ = std::make_unique<Hub>(clock_, writer_, counters_, "ledger-1", stored);
  }
  Stream Open(const std::string& host = "srv1", const std::string& municipality = "vik") {
    Peer peer;
    peer.identity = {municipality, host};
    peer.expires = FromUnixMillis(kHubStartMs) + std::chrono::hours(24);
    auto link = std::make_shared<FakeLink>();
    return {hub_->Open(peer, link), link};
  }
  // A stream that has said Hello.
  Stream Connect(uint64_t epoch, const std::vector<std::string>& checks = {"disk"},
                 const std::string& host = "srv1") {
    Stream stream = Open(host);
    hub_->OnFrame(stream.id, HelloFrame(epoch, checks));
    return stream;
  }
  // A Snapshot of the clock's present with one open run of the first check.
  void Snap(const Stream& stream, int64_t since, v1::State state = v1::STATE_OK) {
    const int64_t now = (ToUnixMillis(clock_.Now()) - kHubStartMs) / 1000;
    v1::AgentFrame frame = SnapshotFrame(now);
    AddRun(&frame, 0, since, now, state);
    hub_->OnFrame(stream.id, frame);
  }
  std::string Counted(const std::string& reason) {
    const std::string text = counters_.Serialize();
    const std::string line = "oppetid_collector_rejected_total{reason=\"" + reason + "\"} ";
    const size_t at = text.find(line);
    if (at == std::string::npos) return "0";
    return text.substr(at + line.size(), text.find('\n', at) - at - line.size());
  }
  const AgentView& Agent(const std::string& host = "srv1") {
    view_ = hub_->MakeView();
    for (const auto& agent : view_->agents) {
      if (agent->host == host) return *agent;
    }
    ADD_FAILURE() << "no agent " << host;
    static const AgentView* none = new AgentView;
    return *none;
  }
  const CheckView& Check(size_t index = 0) { return Agent().checks.at(index); }

  ManualClock clock_{FromUnixMillis(kHubStartMs)};
  Counters counters_{clock_};
  FakeWriter writer_;
  std::unique_ptr<Hub> hub_;
  std::shared_ptr<const View> view_;
};

}  // namespace oppetid::collector
