#include "agent/uplink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/limits.h"
#include "tests/support/fake_disk.h"
#include "tests/support/fake_link.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Millis kInterval{15'000};

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
