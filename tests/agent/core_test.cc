#include "agent/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/fake_disk.h"
#include "tests/support/fake_link.h"

namespace oppetid::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr Millis kInterval{15'000};
constexpr size_t kPortal = 0, kSsh = 1;

CheckSpec Spec(const std::string& name, int confirm) {
  return {name, "tcp", Millis(15'000), Millis(5'000), confirm, Millis(60'000)};
}

// An agent's core between a disk in memory and a collector that takes everything.
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

TEST_F(CoreTest, HelloNamesTheChecksInTheirOrder) {
  Start();
  Tick();
  ASSERT_EQ(link_.sent.size(), 1u);
  const v1::Hello& hello = link_.sent[0].hello();
  ASSERT_EQ(hello.checks_size(), 2);
  EXPECT_EQ(hello.checks(0).name(), "portal");
  EXPECT_EQ(hello.checks(1).name(), "ssh");
  EXPECT_EQ(hello.checks(1).valid_for_ms(), 60'000);
  EXPECT_EQ(hello.version(), "9.9");
}

TEST_F(CoreTest, AChangeOfStateSendsASnapshotAtOnce) {
  Start();
  Run(Millis(16'000));
  ASSERT_EQ(snapshot_.runs_size(), 2);
  const int before = snapshots_;
  Answer(kSsh, State::kOk);
  Collect();
  EXPECT_EQ(snapshots_, before) << "nothing has changed";
  Answer(kSsh, State::kCritical, "refused\nreally");
  Collect();
  EXPECT_EQ(snapshots_, before + 1);
  EXPECT_EQ(snapshot_.runs(kSsh).state(), v1::STATE_CRITICAL);
  EXPECT_EQ(snapshot_.runs(kSsh).text().find('\n'), std::string::npos);
  EXPECT_EQ(snapshot_.samples_size(), 1) << "with what is new";
  EXPECT_THAT(Facts(), ElementsAre(StartsWith("ssh STATE_OK ")));
}

TEST_F(CoreTest, AFailureIsAskedAgainEachSecondAndCountsFromItsFirstAttempt) {
  Start();
  Run(Millis(40'000));
  const Instant failed = wall_;
  Answer(kPortal, State::kCritical);
  for (int recheck = 0; recheck < 2; ++recheck) {
    EXPECT_LE(core_->Next(), now_ + Millis(1'000));
    Advance(Millis(999));
    EXPECT_THAT(Tick(), Not(Contains(kPortal)));
    Advance(Millis(1));
    EXPECT_THAT(Tick(), Contains(kPortal));
    Answer(kPortal, State::kCritical);
  }
  Collect();
  EXPECT_EQ(snapshot_.runs(kPortal).state(), v1::STATE_CRITICAL);
  EXPECT_EQ(snapshot_.runs(kPortal).since_ms(), ToUnixMillis(failed));
  EXPECT_EQ(snapshot_.runs(kPortal).last_ms(), ToUnixMillis(failed) + 2'000);
}

TEST_F(CoreTest, AContradictedFailureIsOnlyCounted) {
  Start();
  Run(Millis(20'000));
  const int64_t since = snapshot_.runs(kPortal).since_ms();
  Answer(kPortal, State::kCritical);
  Advance(Millis(1'000));
  EXPECT_THAT(Tick(), Contains(kPortal));
  Answer(kPortal, State::kOk);
  Run(kInterval + Millis(1'000));
  EXPECT_EQ(snapshot_.runs(kPortal).state(), v1::STATE_OK);
  EXPECT_EQ(snapshot_.runs(kPortal).since_ms(), since);
  EXPECT_EQ(snapshot_.runs(kPortal).unconfirmed_total(), 1u);
  EXPECT_THAT(Facts(), IsEmpty());
}

TEST_F(CoreTest, ACheckUnderWayIsNotAskedAgain) {
  Start();
  Advance(Millis(2'000));
  EXPECT_THAT(Tick(), ElementsAre(kPortal, kSsh));
  for (int i = 0; i < 20; ++i) {
    Advance(Millis(7'000));
    EXPECT_THAT(Tick(), IsEmpty());
  }
  Answer(kSsh, State::kOk);
  Advance(Millis(15'000));
  EXPECT_THAT(Tick(), ElementsAre(kSsh));
}

TEST_F(CoreTest, SomebodyAsksForAnAttemptNow) {
  Start();
  Run(Millis(20'000));
  Tick();
  CheckNow("nonsense");
  EXPECT_THAT(Tick(), IsEmpty());
  CheckNow("ssh");
  EXPECT_LE(core_->Next(), now_);
  EXPECT_THAT(Tick(), ElementsAre(kSsh));
  CheckNow("ssh");
  EXPECT_THAT(Tick(), IsEmpty()) << "it is under way";
}

TEST_F(CoreTest, AStepOfTheClockEndsRuns) {
  for (const Millis step : {Millis(3'600'000), Millis(-3'600'000), Millis(1'001)}) {
    SCOPED_TRACE(step.count());
    Start();
    Run(Millis(20'000));
    Facts();
    wall_ += step;
    EXPECT_THAT(Facts(), ElementsAre(testing::EndsWith("END_REASON_CLOCK_STEP"),
                                     testing::EndsWith("END_REASON_CLOCK_STEP")));
    Answer(kSsh, State::kOk);
    Collect();
    ASSERT_EQ(snapshot_.runs_size(), 1);
    EXPECT_EQ(snapshot_.runs(0).since_ms(), ToUnixMillis(wall_));
  }
}

TEST_F(CoreTest, ASlewedClockEndsNothing) {
  Start();
  Run(Millis(20'000));
  for (int i = 0; i < 40; ++i) {
    wall_ += Millis(i % 2 == 0 ? 900 : -900);
    Run(Millis(1'000));
  }
  EXPECT_THAT(Facts(), IsEmpty());
}

TEST_F(CoreTest, AnAnswerFromBeforeTheClockWasSetIsNotUsed) {
  Start();
  Run(Millis(20'000));
  Facts();
  Attempt late;
  late.check = kSsh;
  late.generation = core_->clock_generation();
  late.started = wall_;
  late.answer.state = State::kCritical;
  wall_ += Millis(3'600'000);
  core_->OnAttempt(std::move(late), wall_, now_);
  EXPECT_THAT(Tick(), Contains(kSsh)) << "it is asked anew at once";
  Answer(kSsh, State::kOk);
  Collect();
  ASSERT_EQ(snapshot_.runs_size(), 1);
  EXPECT_EQ(snapshot_.runs(0).state(), v1::STATE_OK);
}

TEST_F(CoreTest, AFailureBeingConfirmedIsForgottenWhenTheClockIsSet) {
  Start();
  Run(Millis(20'000));
  Answer(kPortal, State::kCritical);
  wall_ -= Millis(3'600'000);
  Tick();
  for (int i = 0; i < 2; ++i) {
    Answer(kPortal, State::kCritical);
    Advance(Millis(1'000));
  }
  const Instant third = wall_;
  Answer(kPortal, State::kCritical);
  Collect();
  EXPECT_EQ(snapshot_.runs(kPortal).since_ms(), ToUnixMillis(third) - 2'000);
}

TEST_F(CoreTest, OpenRunsEndAsTheyStoodOnDiskWhenTheAgentStartsAnew) {
  Start();
  Run(Millis(60'000));
  Facts();
  const Instant killed = wall_;
  disk_.Crash();
  Advance(Millis(3'600'000));
  options_.checks = {Spec("portal", 2), Spec("new", 0)};
  Start();
  const auto facts = Facts();
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_THAT(facts[0], StartsWith("portal STATE_OK "));
  EXPECT_THAT(facts[0], testing::EndsWith("END_REASON_RESTART"));
  EXPECT_THAT(facts[1], StartsWith("ssh STATE_OK "));
  EXPECT_THAT(facts[1], testing::EndsWith("END_REASON_REMOVED"));
  // At most one attempt and one interval of `last` are lost, and nothing is invented.
  const int64_t last = std::stoll(facts[0].substr(facts[0].find('-') + 1));
  EXPECT_GE(last, (killed - start_).count() - 2 * kInterval.count());
  EXPECT_LE(last, (killed - start_).count());
  Advance(Millis(1'000));
  Start();
  EXPECT_THAT(Facts(), IsEmpty()) << "and only once";
}

TEST_F(CoreTest, ACleanStopMakesOpenRunsDurable) {
  Start();
  Run(Millis(20'000));
  Answer(kSsh, State::kOk);
  const auto last = std::to_string((wall_ - start_).count());
  core_->Stop(wall_);
  EXPECT_EQ(link_.closed, 1);
  disk_.Crash();
  Start();
  EXPECT_THAT(Facts(), Contains(testing::HasSubstr("-" + last + " END_REASON_RESTART")));
}

TEST_F(CoreTest, ADamagedRecordOfOpenRunsCostsOnlyWhatCannotBeRead) {
  Start();
  Run(Millis(20'000));
  disk_.content("open-runs")[0] = 'X';
  Start();
  EXPECT_THAT(Facts(), ElementsAre(StartsWith("ssh ")));
}

TEST_F(CoreTest, AFullDiskKeepsMeasuringAndKeepsFacts) {
  Start();
  Run(Millis(20'000));
  disk_.capacity = 0;
  Answer(kSsh, State::kCritical);
  Collect();
  EXPECT_EQ(snapshot_.runs(kSsh).state(), v1::STATE_CRITICAL) << "live data goes on";
  Run(Millis(60'000));
  EXPECT_EQ(snapshot_.runs(kSsh).state(), v1::STATE_OK);
  EXPECT_THAT(Facts(), IsEmpty()) << "what is not durable is not sent";
  EXPECT_GT(core_->Next(), now_) << "no busy loop";
  disk_.capacity = 1'000'000;
  Advance(Millis(1'000));
  EXPECT_THAT(Facts(), ElementsAre(StartsWith("ssh STATE_OK "), StartsWith("ssh STATE_CRITICAL ")));
}

TEST_F(CoreTest, ARefusingDiskIsNotAskedAtEveryAttempt) {
  Start();
  Run(Millis(20'000));
  disk_.fail_append = true;
  const size_t epoch = random_;
  for (int i = 0; i < 100; ++i) Answer(kSsh, i % 2 == 0 ? State::kCritical : State::kOk);
  EXPECT_EQ(random_, epoch + 1) << "one failed write, one new epoch";
}

TEST_F(CoreTest, AKillWhileTheDiskRefusesFactsLosesNoRun) {
  Start();
  Run(Millis(60'000));
  Facts();
  disk_.fail_append = true;
  Answer(kSsh, State::kCritical);
  Run(Millis(60'000));
  disk_.Crash();
  disk_.fail_append = false;
  Start();
  EXPECT_THAT(Facts(), ElementsAre(StartsWith("portal STATE_OK "), StartsWith("ssh STATE_OK ")));
}

TEST_F(CoreTest, AFullDiskIsNoReasonNotToStart) {
  Start();
  Run(Millis(20'000));
  disk_.capacity = 0;
  ASSERT_NO_FATAL_FAILURE(Start());
  Run(Millis(20'000));
  EXPECT_EQ(snapshot_.runs_size(), 2);
  EXPECT_THAT(Facts(), IsEmpty());
  disk_.Crash();
  Start();
  disk_.capacity = 1'000'000;
  Advance(Millis(1'000));
  EXPECT_THAT(Facts(), ElementsAre(StartsWith("portal STATE_OK "), StartsWith("ssh STATE_OK ")))
      << "what an earlier start left is still there";
}

TEST_F(CoreTest, WhatMemoryCannotHoldBecomesAGap) {
  options_.checks.clear();
  for (int i = 0; i < 1'000; ++i) options_.checks.push_back(Spec("check-" + std::to_string(i), 0));
  Start();
  Tick();
  Collect();
  disk_.fail_append = true;
  // Each turn of the clock ends all runs; eleven turns are more than memory holds.
  for (int turn = 0; turn < 11; ++turn) {
    for (size_t check = 0; check < 1'000; ++check) Answer(check, State::kOk);
    wall_ += Millis(100'000);
    Tick();
  }
  disk_.fail_append = false;
  Advance(Millis(1'000));
  const auto facts = Facts();
  EXPECT_EQ(std::count_if(facts.begin(), facts.end(),
                          [](const std::string& text) { return text.starts_with("gap "); }),
            1'000);
  EXPECT_EQ(facts.size(), 11'000u);
}

TEST_F(CoreTest, ABackupRunThatIsToldAgainAndAgainIsAFactOnce) {
  const auto tell = [&](int64_t start_ms) {
    Attempt attempt;
    attempt.check = kSsh;
    attempt.generation = core_->clock_generation();
    attempt.started = wall_;
    attempt.answer.state = State::kOk;
    BackupRun run;
    run.job = "nightly";
    run.start = FromUnixMillis(start_ms);
    run.end = run.start + Millis(60'000);
    attempt.answer.backup_runs = {run};
    core_->OnAttempt(std::move(attempt), wall_, now_);
  };
  Start();
  Run(Millis(20'000));
  tell(1'000);
  tell(1'000);
  EXPECT_THAT(Facts(), ElementsAre("backup nightly 1000"));
  disk_.fail_append = true;
  tell(2'000);
  tell(2'000);
  disk_.fail_append = false;
  Advance(Millis(1'000));
  tell(2'000);
  EXPECT_THAT(Facts(), ElementsAre("backup nightly 2000"));
  disk_.Crash();
  Start();
  Facts();
  tell(1'000);
  tell(2'000);
  tell(3'000);
  EXPECT_THAT(Facts(), ElementsAre("backup nightly 3000"));
}

TEST_F(CoreTest, WhatADamagedRecordMayHaveCostBecomesAGap) {
  Start();
  Run(Millis(20'000));
  for (const State state : {State::kCritical, State::kOk, State::kWarning, State::kOk}) {
    Advance(Millis(5'000));
    Answer(kSsh, state);
  }
  std::string segment;
  for (const std::string& name : disk_.Names()) {
    if (name.ends_with(".segment")) segment = name;
  }
  // The critical run is the second of four.
  std::string& bytes = disk_.content(segment);
  const size_t second = bytes.find("OPR1", bytes.find("OPR1") + 1);
  bytes[second + 30] = static_cast<char>(bytes[second + 30] ^ 4);
  durable_.clear();
  Start();
  const auto facts = Facts();
  EXPECT_EQ(std::ranges::count_if(facts, [](const auto& text) { return text == "gap ssh"; }), 1);
  EXPECT_THAT(facts, Not(Contains(testing::HasSubstr("CRITICAL"))));
  EXPECT_THAT(facts, Not(Contains("gap portal"))) << "its one run spans the hole";
}

TEST_F(CoreTest, AnUnreadableRecordOfOpenRunsIsNoReasonNotToStart) {
  Start();
  Run(Millis(20'000));
  disk_.unreadable = "open-runs";
  ASSERT_NO_FATAL_FAILURE(Start());
  Run(Millis(20'000));
  EXPECT_EQ(snapshot_.runs_size(), 2);
}

}  // namespace
}  // namespace oppetid::agent
