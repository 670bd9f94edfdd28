#include "tests/support/core_fixture.h"

namespace oppetid::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

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

}  // namespace
}  // namespace oppetid::agent
