// Agents that repeat facts, jump ahead, lose their streams and meet a full disk: the ledger ends up
// with the same spans as if every fact had come once and in order.
#include <random>

#include "collector/ledger/sqlite.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/spans.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

constexpr uint64_t kEpoch = 42;

// Facts of three checks, back to back, as an agent of long standing has them.
std::vector<v1::Fact> Story(std::mt19937& random, int count) {
  std::vector<v1::Fact> facts;
  std::vector<int64_t> at(3, -200'000);
  for (int i = 0; i < count; ++i) {
    const size_t check = random() % at.size();
    const int64_t from = at[check], length = 1 + static_cast<int64_t>(random() % 500);
    const std::string name = "c" + std::to_string(check);
    at[check] = from + length;
    switch (random() % 6) {
      case 0:
        facts.push_back(GapFact(from, from + length, name));
        break;
      case 1:
        facts.emplace_back();
        facts.back().mutable_lost();
        break;
      default:
        facts.push_back(
            RunFact(from, from + length - 1, static_cast<v1::State>(1 + random() % 4), name));
    }
  }
  return facts;
}

// A hub on a real ledger, and one agent that behaves as badly as a network lets it.
class Simulation {
 public:
  explicit Simulation(const std::vector<v1::Fact>& story) : story_(story) {
    auto ledger = OpenSqliteLedger(directory_.path() + "/ledger.sqlite");
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = *std::move(ledger);
    Start();
  }

  // One frame after the other, each acked at once.
  void Behave() {
    Connect();
    for (uint64_t next = 0; next < story_.size(); ++next) {
      Send(next, 1);
      Settle();
    }
  }

  // Until all is acked.
  void Misbehave(std::mt19937& random) {
    Connect();
    for (int step = 0; step < 5'000 && Acked() < story_.size(); ++step) {
      switch (random() % 12) {
        case 0:
          hub_->OnClosed(stream_);
          Connect();
          break;
        case 1:
          Connect();  // the old stream is still there
          break;
        case 2:  // ahead of the order: refused
          Send(std::min<uint64_t>(Acked() + 1 + random() % 9, story_.size() - 1), 1);
          break;
        case 3:
          if (writer_.busy()) writer_.Complete(absl::ResourceExhaustedError("disk full"));
          hub_->Tick();
          break;
        case 4:  // the collector starts anew; what was not committed is lost
          Start();
          Connect();
          break;
        case 5:
        case 6:
        case 7:
          Settle();
          break;
        default: {
          const uint64_t known = Acked();
          const uint64_t back = known == 0 ? 0 : random() % std::min<uint64_t>(known + 1, 5);
          Send(known - back, 1 + random() % 7);
        }
      }
      if (link_->closed) Connect();
      clock_.Advance(Millis(static_cast<int64_t>(random() % 5'000)));
    }
    EXPECT_EQ(Acked(), story_.size());
  }

  std::vector<std::string> Told() {
    return Spans(*ledger_, At(-10'000'000), At(100'000'000), /*with_record=*/false);
  }

 private:
  void Start() {
    const auto rows = (*ledger_->OpenReader())->Agents();
    ASSERT_TRUE(rows.ok()) << rows.status();
    writer_ = FakeWriter();
    hub_ = std::make_unique<Hub>(clock_, writer_, counters_, ledger_->id(), *rows);
  }
  void Connect() {
    Peer peer;
    peer.identity = {"vik", "srv1"};
    link_ = std::make_shared<FakeLink>();
    stream_ = hub_->Open(peer, link_);
    v1::AgentFrame hello = HelloFrame(kEpoch, {"c0", "c1", "c2"}, acked_ + 1);
    hub_->OnFrame(stream_, hello);
    ASSERT_FALSE(link_->sent.empty()) << link_->Why();
    acked_ = std::max(acked_, link_->sent[0].welcome().watermarks(0).last_sequence());
  }
  void Send(uint64_t from, uint64_t count) {
    std::vector<v1::Fact> some;
    for (uint64_t i = from; i < from + count && i < story_.size(); ++i) some.push_back(story_[i]);
    if (!some.empty()) hub_->OnFrame(stream_, FactsFrame(kEpoch, from + 1, some));
  }
  // Commits what is under way, and what follows from it.
  void Settle() {
    while (writer_.busy()) {
      ASSERT_TRUE(ledger_->Commit(writer_.batch(), clock_.Now()).ok());
      writer_.Complete();
    }
    hub_->Tick();
  }
  uint64_t Acked() {
    for (const uint64_t ack : link_->Acks()) acked_ = std::max(acked_, ack);
    return acked_;
  }

  const std::vector<v1::Fact>& story_;
  TempDir directory_;
  std::unique_ptr<Ledger> ledger_;
  ManualClock clock_{FromUnixMillis(kHubStartMs)};
  Counters counters_{clock_};
  FakeWriter writer_;
  std::unique_ptr<Hub> hub_;
  Hub::SessionId stream_ = 0;
  std::shared_ptr<FakeLink> link_;
  uint64_t acked_ = 0;  // what this agent has forgotten
};

TEST(HubRandom, EndsUpWithTheSameSpans) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    const std::vector<v1::Fact> story = Story(random, 60);
    Simulation well(story), badly(story);
    well.Behave();
    badly.Misbehave(random);
    const auto wanted = well.Told();
    EXPECT_GT(wanted.size(), 20U);
    EXPECT_EQ(badly.Told(), wanted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace oppetid::collector
