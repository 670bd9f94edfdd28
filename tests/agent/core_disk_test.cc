// What the disk keeps for the core over restarts, and what it may cost.
#include <algorithm>

#include "tests/support/core_fixture.h"

namespace oppetid::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

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
