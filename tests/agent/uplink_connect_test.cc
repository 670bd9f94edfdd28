// When an uplink connects, where to, and when it leaves.
#include <random>

#include "tests/support/uplink_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(UplinkTest, ReconnectingBacksOffToABound) {
  Start();
  for (const int64_t ceiling : {2'000, 4'000, 8'000, 16'000, 30'000, 30'000, 30'000}) {
    for (const bool longest : {false, true}) {
      // The same number of failures is tried once with each end of the jitter.
      Start();
      random_ = [] { return uint64_t{0}; };
      for (int64_t before = 1'000; before * 2 < ceiling; before *= 2) {
        Tick();
        Closed();
        Advance(Millis(200));
      }
      const uint64_t spread = static_cast<uint64_t>(ceiling) - 200;
      random_ = [&] { return longest ? spread : spread + 1; };
      Tick();
      Closed();
      EXPECT_EQ(uplink_->Next() - now_, Millis(longest ? ceiling : 200)) << ceiling;
    }
  }
}

TEST_F(UplinkTest, TheJitterFillsItsBounds) {
  std::mt19937_64 bits(7);
  random_ = [&] { return bits(); };
  Millis shortest = kInterval, longest{};
  for (int i = 0; i < 500; ++i) {
    Start();
    Tick();
    Closed();
    const auto wait = std::chrono::duration_cast<Millis>(uplink_->Next() - now_);
    ASSERT_GE(wait, Millis(200));
    ASSERT_LE(wait, Millis(2'000));
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  EXPECT_LT(shortest, Millis(300));
  EXPECT_GT(longest, Millis(1'900));
}

TEST_F(UplinkTest, NoConnectionBeforeItsTime) {
  Start();
  Tick();
  Closed();
  Advance(Millis(199));
  Tick();
  EXPECT_EQ(link_.opened.size(), 1u);
  Advance(Millis(1));
  Tick();
  EXPECT_EQ(link_.opened.size(), 2u);
}

TEST_F(UplinkTest, AfterAWelcomeTheBackoffStartsAnew) {
  Start();
  for (int i = 0; i < 6; ++i) {
    Tick();
    Closed();
    Advance(Millis(30'000));
  }
  Connect();
  random_ = [] { return uint64_t{1'800}; };
  Closed();
  EXPECT_EQ(uplink_->Next() - now_, Millis(2'000));
}

TEST_F(UplinkTest, AddressesAreTriedInTurnUntilOneWelcomes) {
  Start({"a:1", "b:2", "c:3"});
  for (int i = 0; i < 4; ++i) {
    Tick();
    Closed();
    Advance(Millis(30'000));
  }
  EXPECT_THAT(link_.opened, ElementsAre("a:1", "b:2", "c:3", "a:1"));
  Connect();
  Closed();
  Advance(Millis(30'000));
  Tick();
  EXPECT_EQ(link_.opened.back(), "b:2") << "the one that welcomed is tried first";
}

TEST_F(UplinkTest, ACollectorThatSaysNothingIsLeft) {
  Start();
  Tick();
  Sent();
  EXPECT_EQ(uplink_->Next(), now_ + Millis(10'000));
  Advance(Millis(9'999));
  Tick();
  EXPECT_EQ(link_.closed, 0);
  Advance(Millis(1));
  Tick();
  Tick();
  EXPECT_EQ(link_.closed, 1);
  Closed();
  Advance(Millis(2'000));
  Tick();
  EXPECT_THAT(link_.opened, ElementsAre("a:1", "b:2"));
}

TEST_F(UplinkTest, AWelcomeInTimeKeepsTheStream) {
  Start();
  Connect();
  Advance(Millis(60'000));
  Tick();
  EXPECT_EQ(link_.closed, 0);
}

TEST_F(UplinkTest, StopEndsTheStreamForGood) {
  Start();
  Connect();
  Frames();
  uplink_->Stop();
  EXPECT_EQ(link_.closed, 1);
  Closed();
  Advance(Millis(60'000));
  Tick();
  EXPECT_EQ(link_.opened.size(), 1u);
  EXPECT_THAT(Frames(), IsEmpty());
  EXPECT_EQ(uplink_->Next(), Steady::max());
}

}  // namespace
}  // namespace oppetid::agent
