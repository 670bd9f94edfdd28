#include "common/limits.h"
#include "tests/support/uplink_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(UplinkTest, HelloComesFirstAndAlone) {
  Start();
  AddFacts(3);
  Tick();
  EXPECT_THAT(link_.opened, ElementsAre("a:1"));
  ASSERT_THAT(Frames(), ElementsAre("hello"));
  const v1::Hello& hello = link_.sent[0].hello();
  EXPECT_EQ(hello.version(), "9.9");
  EXPECT_EQ(hello.now_ms(), ToUnixMillis(wall_));
  EXPECT_EQ(hello.interval_ms(), kInterval.count());
  EXPECT_EQ(hello.ledger_id(), "");
  ASSERT_EQ(hello.epochs_size(), 1);
  EXPECT_EQ(hello.epochs(0).epoch(), 77u);
  EXPECT_EQ(hello.epochs(0).next_sequence(), 4u);
  Sent();
  uplink_->SnapshotSoon();
  Tick();
  EXPECT_THAT(Frames(), IsEmpty()) << "nothing before Welcome";
  EXPECT_FALSE(uplink_->connected());
}

TEST_F(UplinkTest, AfterWelcomeTheSnapshotComesFirstThenTheBacklog) {
  Start();
  AddFacts(3);
  Connect();
  EXPECT_TRUE(uplink_->connected());
  EXPECT_THAT(source_.series_limits, ElementsAre(123));
  EXPECT_EQ(uplink_->clock_offset(), Millis(250));
  EXPECT_THAT(Frames(), ElementsAre("hello", "snapshot 1", "facts 1+3"));
  const v1::Snapshot& snapshot = link_.sent[1].snapshot();
  EXPECT_EQ(snapshot.now_ms(), ToUnixMillis(wall_));
  EXPECT_EQ(snapshot.spool().facts(), 3u);
  EXPECT_EQ(snapshot.spool().bytes(), spool_->stats().bytes);
}

TEST_F(UplinkTest, OneFrameAtATimeIsWithTheLink) {
  Start();
  AddFacts(3);
  Tick();
  Welcome();  // before the link has taken the Hello
  Tick();
  EXPECT_THAT(Frames(), ElementsAre("hello"));
  EXPECT_EQ(uplink_->Next(), Steady::max()) << "OnSent wakes it";
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 1"));
  Tick();
  EXPECT_THAT(Frames(), IsEmpty());
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("facts 1+3"));
}

TEST_F(UplinkTest, FactsStayWithinTheWindowOfUnackedFrames) {
  Start();
  AddFacts(6);
  Connect(2, 1);
  for (int i = 0; i < 4; ++i) Sent();
  EXPECT_THAT(Frames(), ElementsAre("hello", "snapshot 1", "facts 1+1", "facts 2+1"));
  Ack(1);
  EXPECT_EQ(uplink_->clock_offset(), Millis(-40));
  Sent();
  Tick();
  EXPECT_THAT(Frames(), ElementsAre("facts 3+1"));
  Ack(2);
  Sent();
  Ack(3);
  EXPECT_THAT(Frames(), ElementsAre("facts 4+1", "facts 5+1"));
  EXPECT_EQ(spool_->stats().unacked_facts, 3u);
}

TEST_F(UplinkTest, ACollectorsLimitsAreKeptWithinOurOwn) {
  Start();
  AddFacts(20);
  Connect(1'000'000, 1);
  for (int i = 0; i < 30; ++i) Sent();
  EXPECT_EQ(Frames().size(), 2 + limits::kFramesUnacked);
}

TEST_F(UplinkTest, ALimitOfNothingStillLetsOneThrough) {
  Start();
  AddFacts(2);
  Connect(0, 0);
  for (int i = 0; i < 5; ++i) Sent();
  EXPECT_THAT(Frames(), ElementsAre("hello", "snapshot 1", "facts 1+1"));
}

TEST_F(UplinkTest, LiveDataGoesBeforeBacklog) {
  Start();
  AddFacts(10);
  Connect(8, 1);
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("hello", "snapshot 1", "facts 1+1", "facts 2+1"));
  uplink_->SnapshotSoon();
  Sent();
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 2", "facts 3+1"));
  Advance(kInterval);
  Sent();
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 3", "facts 4+1"));
}

TEST_F(UplinkTest, AFullWindowDoesNotHoldLiveDataBack) {
  Start();
  AddFacts(10);
  Connect(1, 1);
  Sent();
  Frames();
  uplink_->SnapshotSoon();
  EXPECT_EQ(uplink_->Next(), Steady::min());
  Tick();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 2"));
}

TEST_F(UplinkTest, SnapshotsKeepTheirBeat) {
  Start();
  Connect();
  const Steady start = now_;
  Frames();
  EXPECT_EQ(uplink_->Next(), start + kInterval);
  Advance(kInterval - Millis(1));
  Tick();
  EXPECT_THAT(Frames(), IsEmpty());
  Advance(Millis(41));  // a little late
  Tick();
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 2"));
  EXPECT_EQ(uplink_->Next(), start + 2 * kInterval);
  Advance(10 * kInterval);
  Tick();
  Sent();
  Tick();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 3")) << "missed beats are not made up for";
}

TEST_F(UplinkTest, AfterAReconnectWhatWasNotAckedIsSentAgain) {
  Start();
  AddFacts(3);
  Connect(2, 1);
  Sent();
  Frames();
  Closed();
  EXPECT_FALSE(uplink_->connected());
  Advance(Millis(2'000));
  Tick();
  Sent();
  ASSERT_THAT(Frames(), ElementsAre("hello"));
  EXPECT_EQ(link_.sent.back().hello().ledger_id(), "ledger");
  Welcome(2, 1);
  for (int i = 0; i < 4; ++i) Sent();
  EXPECT_THAT(Frames(), ElementsAre("snapshot 2", "facts 1+1", "facts 2+1")) << "a new window";
}

TEST_F(UplinkTest, FramesOutOfTurnAreIgnored) {
  Start();
  AddFacts(2);
  Tick();
  Sent();
  Ack(2);
  v1::CollectorFrame wish;
  wish.mutable_check_now()->set_check("portal");
  Receive(wish);
  Receive({});
  EXPECT_EQ(spool_->stats().unacked_facts, 2u);
  EXPECT_THAT(source_.wishes, IsEmpty());
  Welcome();
  Welcome();
  EXPECT_EQ(source_.series_limits.size(), 1u);
  Receive(wish);
  EXPECT_THAT(source_.wishes, ElementsAre("portal"));
}

TEST_F(UplinkTest, AckBeyondWhatWasSentDoesNoHarm) {
  Start();
  AddFacts(2);
  Connect();
  for (int i = 0; i < 5; ++i) Ack(1'000'000);
  EXPECT_EQ(spool_->stats().unacked_facts, 2u) << "it is not believed";
  AddFacts(1);
  Sent();
  EXPECT_THAT(Frames(), ElementsAre("hello", "snapshot 1", "facts 1+2", "facts 3+1"));
}

TEST_F(UplinkTest, AFrameOfTheEdgeGoesFirstAndNotToAnotherStream) {
  Start();
  AddFacts(1);
  Connect();
  Frames();
  v1::AgentFrame renewal;
  renewal.mutable_renewal()->set_public_key("key");
  uplink_->SendFirst(renewal);
  EXPECT_EQ(uplink_->Next(), Steady::max()) << "facts are with the link";
  Sent();
  ASSERT_FALSE(link_.sent.empty());
  EXPECT_TRUE(link_.sent.back().has_renewal());
  uplink_->SendFirst(renewal);
  uplink_->Reconnect();
  EXPECT_EQ(link_.closed, 1);
  Closed();
  uplink_->Reconnect();
  EXPECT_EQ(link_.closed, 1) << "there is no stream to end";
  Advance(Millis(30'000));
  Connect();
  EXPECT_FALSE(link_.sent.back().has_renewal());
}

}  // namespace
}  // namespace oppetid::agent
