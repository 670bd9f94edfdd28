#include "agent/confirmation.h"

#include <gtest/gtest.h>

namespace oppetid::agent {
namespace {

constexpr State kOk = State::kOk, kWarning = State::kWarning, kCritical = State::kCritical,
                kUnknown = State::kUnknown;

Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }

void ExpectSeen(const std::optional<Observation>& seen, State state, Instant since, Instant last) {
  ASSERT_TRUE(seen) << "an observation was expected";
  EXPECT_EQ(seen->state, state);
  EXPECT_EQ(seen->since, since);
  EXPECT_EQ(seen->last, last);
}

TEST(ConfirmationTest, WithoutConfirmationEachAttemptIsAnObservation) {
  Confirmation confirmation(0);
  ExpectSeen(confirmation.Take(kOk, At(1)), kOk, At(1), At(1));
  ExpectSeen(confirmation.Take(kCritical, At(2)), kCritical, At(2), At(2));
  ExpectSeen(confirmation.Take(kOk, At(3)), kOk, At(3), At(3));
  EXPECT_EQ(confirmation.unconfirmed_total(), 0u);
}

TEST(ConfirmationTest, AFailureCountsFromItsFirstAttemptOnceEveryRecheckHasFailed) {
  Confirmation confirmation(3);
  ExpectSeen(confirmation.Take(kOk, At(0)), kOk, At(0), At(0));
  EXPECT_FALSE(confirmation.Take(kCritical, At(15)));
  EXPECT_FALSE(confirmation.Take(kCritical, At(16)));
  EXPECT_FALSE(confirmation.Take(kCritical, At(17)));
  ExpectSeen(confirmation.Take(kCritical, At(18)), kCritical, At(15), At(18));
  ExpectSeen(confirmation.Take(kCritical, At(30)), kCritical, At(30), At(30));
  EXPECT_EQ(confirmation.unconfirmed_total(), 0u);
}

TEST(ConfirmationTest, AContradictedFailureIsNoDowntimeButCounts) {
  for (const State answer : {kOk, kWarning}) {
    Confirmation confirmation(3);
    ExpectSeen(confirmation.Take(kOk, At(0)), kOk, At(0), At(0));
    EXPECT_FALSE(confirmation.Take(kCritical, At(15)));
    EXPECT_FALSE(confirmation.Take(kCritical, At(16)));
    ExpectSeen(confirmation.Take(answer, At(17)), answer, At(17), At(17));
    EXPECT_EQ(confirmation.unconfirmed_total(), 1u);
    // The next failure gets all its re-checks again, and begins at its own first attempt.
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(confirmation.Take(kCritical, At(30 + i)));
    ExpectSeen(confirmation.Take(kCritical, At(33)), kCritical, At(30), At(33));
    EXPECT_EQ(confirmation.unconfirmed_total(), 1u);
  }
}

TEST(ConfirmationTest, AFailureThatCannotBeConfirmedIsUnknownFromItsFirstAttempt) {
  Confirmation confirmation(3);
  ExpectSeen(confirmation.Take(kOk, At(0)), kOk, At(0), At(0));
  EXPECT_FALSE(confirmation.Take(kCritical, At(15)));
  ExpectSeen(confirmation.Take(kUnknown, At(16)), kUnknown, At(15), At(16));
  EXPECT_EQ(confirmation.unconfirmed_total(), 0u) << "nothing contradicted it";
  ExpectSeen(confirmation.Take(kUnknown, At(30)), kUnknown, At(30), At(30));
}

TEST(ConfirmationTest, RecoveryNeedsNoConfirmation) {
  Confirmation confirmation(1);
  EXPECT_FALSE(confirmation.Take(kCritical, At(0)));
  ExpectSeen(confirmation.Take(kCritical, At(1)), kCritical, At(0), At(1));
  ExpectSeen(confirmation.Take(kOk, At(15)), kOk, At(15), At(15));
  EXPECT_EQ(confirmation.unconfirmed_total(), 0u);
  EXPECT_FALSE(confirmation.Take(kCritical, At(30))) << "a new failure is confirmed anew";
}

TEST(ConfirmationTest, TheVeryFirstAttemptIsConfirmedToo) {
  Confirmation confirmation(2);
  EXPECT_FALSE(confirmation.Take(kCritical, At(0)));
  EXPECT_FALSE(confirmation.Take(kCritical, At(1)));
  ExpectSeen(confirmation.Take(kCritical, At(2)), kCritical, At(0), At(2));
}

TEST(ConfirmationTest, AfterAResetTheFailureStartsAnew) {
  Confirmation confirmation(1);
  EXPECT_FALSE(confirmation.Take(kCritical, At(9'000)));
  confirmation.Reset();
  EXPECT_FALSE(confirmation.Take(kCritical, At(10)));
  ExpectSeen(confirmation.Take(kCritical, At(11)), kCritical, At(10), At(11));
  EXPECT_EQ(confirmation.unconfirmed_total(), 0u);
}

}  // namespace
}  // namespace oppetid::agent
