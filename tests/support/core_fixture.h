// An agent's core between a disk in memory and a collector that takes everything.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/core.h"
#include "tests/support/fake_disk.h"
#include "tests/support/fake_link.h"

namespace oppetid::agent {

inline constexpr Millis kInterval{15'000};
inline constexpr size_t kPortal = 0, kSsh = 1;

inline CheckSpec Spec(const std::string& name, int confirm) {
  return {name, "tcp", Millis(15'000), Millis(5'000), confirm, Millis(60'000)};
}

class CoreTest : public testing::Test {
 protected:
  CoreTest() {
    options_.version = "9.9";
    options_.collectors = {"a:1"};
    options_.interval = kInterval;
    options_.checks = {Spec("portal", 2), Spec("ssh", 0)};
  }
  void Start() {
    core_.reset();
    link_.sent.clear();
    seen_ = 0;
    auto core = Core::Start(
        options_, disk_, link_, [this] { return ++random_; }, wall_, now_);
    ASSERT_TRUE(core.ok()) << core.status();
    core_ = *std::move(core);
  }
  void Advance(Millis by) {
    wall_ += by;
    now_ += by;
  }
  std::vector<size_t> Tick() { return core_->Tick(wall_, now_); }
  void Answer(size_t check, State state, const std::string& text = "") {
    Attempt attempt;
    attempt.check = check;
    attempt.generation = core_->clock_generation();
    attempt.started = wall_;
    attempt.answer.state = state;
    attempt.answer.text = text;
    attempt.answer.samples.push_back({"oppetid_probe_seconds", {}, 1});
    core_->OnAttempt(std::move(attempt), wall_, now_);
  }
  // Runs for `time` in steps of 100 ms; all checks that are due answer `ok` at once.
  void Run(Millis time) {
    const Steady end = now_ + time;
    while (now_ < end) {
      for (const size_t check : Tick()) Answer(check, State::kOk);
      Collect();
      Advance(Millis(100));
    }
  }
  // Plays the collector until the agent has nothing more to say.
  void Collect() {
    for (; seen_ < link_.sent.size(); ++seen_) {
      const v1::AgentFrame frame = link_.sent[seen_];
      v1::CollectorFrame reply;
      if (frame.has_hello()) {
        reply.mutable_welcome()->set_ledger_id("ledger");
        for (const auto& [epoch, sequence] : durable_) {
          reply.mutable_welcome()->add_watermarks()->set_epoch(epoch);
          reply.mutable_welcome()->mutable_watermarks()->rbegin()->set_last_sequence(sequence);
        }
        reply.mutable_welcome()->mutable_limits()->set_series(100);
        reply.mutable_welcome()->mutable_limits()->set_frames_unacked(8);
        reply.mutable_welcome()->mutable_limits()->set_facts_per_frame(1'000);
      } else if (frame.has_facts()) {
        for (const v1::Fact& fact : frame.facts().facts()) facts_.push_back(Text(fact));
        durable_[frame.facts().epoch()] =
            frame.facts().first_sequence() + static_cast<uint64_t>(frame.facts().facts_size()) - 1;
        reply.mutable_ack()->set_epoch(frame.facts().epoch());
        reply.mutable_ack()->set_last_sequence(durable_[frame.facts().epoch()]);
      } else {
        snapshot_ = frame.snapshot();
        ++snapshots_;
      }
      core_->uplink().OnSent(wall_, now_);
      if (reply.has_welcome() || reply.has_ack()) core_->uplink().OnFrame(reply, wall_, now_);
    }
  }
  std::string Text(const v1::Fact& fact) const {
    if (fact.has_gap()) return "gap " + fact.gap().check();
    if (fact.has_backup()) {
      return "backup " + fact.backup().job() + " " + std::to_string(fact.backup().start_ms());
    }
    const v1::ClosedRun& run = fact.run();
    return run.check() + " " + v1::State_Name(run.state()) + " " +
           std::to_string(run.since_ms() - ToUnixMillis(start_)) + "-" +
           std::to_string(run.last_ms() - ToUnixMillis(start_)) + " " +
           v1::EndReason_Name(run.reason());
  }
  // Facts that reached the collector since the last call.
  std::vector<std::string> Facts() {
    Tick();
    Collect();
    return std::exchange(facts_, {});
  }
  void CheckNow(const std::string& check) {
    v1::CollectorFrame frame;
    frame.mutable_check_now()->set_check(check);
    core_->uplink().OnFrame(frame, wall_, now_);
  }

  const Instant start_ = FromUnixMillis(1'782'900'000'000);
  Instant wall_ = start_;
  Steady now_{std::chrono::hours(3)};
  FakeDisk disk_;
  FakeLink link_;
  CoreOptions options_;
  uint64_t random_ = 0;
  std::unique_ptr<Core> core_;
  size_t seen_ = 0;
  std::vector<std::string> facts_;
  std::map<uint64_t, uint64_t> durable_;  // the collector's watermarks
  v1::Snapshot snapshot_;
  int snapshots_ = 0;
};

}  // namespace oppetid::agent
