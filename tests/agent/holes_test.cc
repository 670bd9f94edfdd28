#include "agent/holes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Instant At(int64_t seconds) { return FromUnixMillis(seconds * 1'000); }

std::vector<std::string> Told(Holes& holes, const std::vector<std::string>& checks = {}) {
  std::vector<std::string> told;
  for (const LostTime& lost : holes.End(checks, At(1'000))) {
    told.push_back(lost.check + " " + std::to_string(ToUnixMillis(lost.from)) + "-" +
                   std::to_string(ToUnixMillis(lost.to)));
  }
  return told;
}

TEST(Holes, NothingIsLostWithoutOne) {
  Holes holes;
  holes.Run("a", At(1), At(5));
  holes.Run("a", At(90), At(95));
  EXPECT_THAT(Told(holes, {"a", "b"}), IsEmpty());
}

TEST(Holes, ACheckLosesTheTimeBetweenItsNeighbours) {
  Holes holes;
  holes.Run("a", At(1), At(5));
  holes.Run("b", At(1), At(7));
  holes.Hole();
  holes.Hole();
  holes.Run("a", At(20), At(25));
  holes.Run("a", At(30), At(35));
  holes.Run("b", At(8), At(40));
  EXPECT_THAT(Told(holes), ElementsAre("a 5001-20000", "b 7001-8000"));
}

TEST(Holes, ARunThatSpansAHoleHasLostNothing) {
  Holes holes;
  holes.Run("a", At(1), At(5));
  holes.Hole();
  holes.Run("long", At(0), At(50));
  EXPECT_THAT(Told(holes), ElementsAre("a 5001-1000000"));
}

TEST(Holes, AClockThatWasSetBackIsNoNeighbour) {
  Holes holes;
  holes.Run("a", At(500), At(505));
  holes.Hole();
  holes.Run("b", At(400), At(590));
  holes.Run("a", At(20), At(25));
  EXPECT_THAT(Told(holes), ElementsAre("a 505001-590000"));
}

TEST(Holes, WhereNothingFollowsItIsLostUntilNow) {
  Holes holes;
  holes.Run("a", At(1), At(5));
  holes.Hole();
  EXPECT_THAT(Told(holes, {"a", "never"}), ElementsAre("a 5001-1000000", "never 5000-1000000"));
}

TEST(Holes, BeforeTheFirstRecordNothingIsKnown) {
  Holes holes;
  holes.Hole();
  holes.Run("a", At(20), At(25));
  EXPECT_THAT(Told(holes, {"a", "never"}), IsEmpty());
}

}  // namespace
}  // namespace oppetid::agent
