#include "tests/simulation/collector_actor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace oppetid::simulation {
namespace {

// What speaks of more than this ahead of the collector's clock is from the future.
constexpr int64_t kBelieved = 60'000;

class Session : public collector::SessionLink {
 public:
  Session(World& world, std::shared_ptr<Stream> stream)
      : world_(world), stream_(std::move(stream)) {}
  void Send(const v1::CollectorFrame& frame) override {
    world_.collector->fuse.Pass([&] {
      world_.collector->CheckPromise(*stream_, frame);
      world_.Down(stream_, frame);
      return 0;
    });
  }
  void Close(const absl::Status& status) override {
    world_.collector->fuse.Pass([&] {
      stream_->ended = true;
      world_.TellAgent(stream_, 5, std::string(status.message()));
      return 0;
    });
  }

 private:
  World& world_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace

CollectorActor::CollectorActor(World& world)
    : world_(world), dice_(world.plan.seed * 37 + 5), image_(NewImage()) {}

std::shared_ptr<LedgerImage> CollectorActor::NewImage() {
  auto image = std::make_shared<LedgerImage>();
  image->id = absl::StrCat("ledger-", dice_.Bits());
  return image;
}

Instant CollectorActor::Now() const {
  return FromUnixMillis(kBeginMs + world_.scheduler.now() + offset);
}
Steady CollectorActor::SteadyNow() const {
  return Steady(std::chrono::hours(7)) + Millis(world_.scheduler.now());
}

void CollectorActor::Start() {
  if (alive()) return;
  ++life_;
  world_.Trace("collector starts on " + image_->id);
  ledger_ = *OpenMemoryLedger(image_);
  const auto rows = (*ledger_->OpenReader())->Agents();
  hub_ = std::make_unique<collector::Hub>(*this, *this, counters_, image_->id, *rows,
                                          ledger_->newest_record());
  world_.scheduler.In(1'000, [this, life = life_] {
    if (life == life_) Tick();
  });
}

void CollectorActor::Die() {
  if (!alive()) return;
  world_.Trace("collector dies");
  ++world_.stats.crashes;
  hub_.reset();
  early_.clear();
  ++life_;
  fuse.Disarm();
  world_.CutAll();
}

void CollectorActor::Call(const std::function<void(collector::Hub&)>& f) {
  if (!alive()) return;
  try {
    f(*hub_);
  } catch (const Crashed&) {
    Die();
    world_.scheduler.In(dice_.Between(500, 60'000), [this] { Start(); });
  }
}

void CollectorActor::Tick() {
  const uint64_t life = life_;
  Call([](collector::Hub& hub) { hub.Tick(); });
  world_.scheduler.In(1'000, [this, life] {
    if (life == life_) Tick();
  });
}

void CollectorActor::Accept(const std::shared_ptr<Stream>& stream) {
  Peer peer;
  peer.identity = {"vik", world_.agents[stream->agent]->name()};
  peer.expires = FromUnixMillis(kBeginMs) + std::chrono::hours(100);
  stream->collector_life = life_;
  stream->session = hub_->Open(peer, std::make_shared<Session>(world_, stream));
}

void CollectorActor::OnFrame(const std::shared_ptr<Stream>& stream, const v1::AgentFrame& frame) {
  if (stream->session == 0 || stream->collector_life != life_) return;
  if (frame.has_hello()) stream->hello = frame.hello();
  const int64_t now = world_.scheduler.now();
  if (frame.has_snapshot() && stream->first_snapshot < 0) stream->first_snapshot = now;
  if (frame.has_facts() && stream->first_facts < 0) stream->first_facts = now;
  ++world_.stats.frames;
  AgentActor& agent = *world_.agents[stream->agent];
  // What a Hello says of a restored ledger must outlive it: a good moment for a crash.
  if (frame.has_hello() && world_.plan.crashes && !replaced_.empty() && now < kHourMs &&
      dice_.OneIn(10)) {
    fuse.Arm(static_cast<int>(dice_.Between(1, 12)), dice_.OneIn(2));
  }
  if (frame.has_facts() && !stream->ended) NoteEarly(agent.name(), frame.facts());
  Call([&](collector::Hub& hub) { hub.OnFrame(stream->session, frame); });
  // A stream that was ended, or that another has replaced, is heard no more.
  const int64_t theirs = frame.has_hello() ? frame.hello().now_ms() : frame.snapshot().now_ms();
  const int64_t ours = ToUnixMillis(Now());
  if (stream != agent.stream() || stream->ended || theirs <= ours + kBelieved) return;
  // Before its own clock was set back it has told of this time already, or need not.
  auto& heard = agent.log.heard_ahead;
  if (heard.empty() || heard.back() < ours) heard.push_back(ours);
}

void CollectorActor::OnClosed(const std::shared_ptr<Stream>& stream) {
  stream->ended = true;
  if (stream->session == 0 || stream->collector_life != life_) return;
  Call([&](collector::Hub& hub) { hub.OnClosed(stream->session); });
}

void CollectorActor::NoteEarly(const std::string& host, const v1::Facts& facts) {
  const int64_t now = ToUnixMillis(Now());
  // What is durable already was judged when it became so.
  const auto row = image_->agents.find(host);
  uint64_t durable = 0;
  if (row != image_->agents.end()) {
    const auto mark = row->second.watermarks.find(facts.epoch());
    if (mark != row->second.watermarks.end()) durable = mark->second;
  }
  for (int i = 0; i < facts.facts_size(); ++i) {
    const v1::Fact& fact = facts.facts(i);
    const int64_t end = fact.has_backup() ? fact.backup().end_ms() : fact.run().last_ms();
    const uint64_t sequence = facts.first_sequence() + static_cast<uint64_t>(i);
    if (end <= now + kBelieved || sequence <= durable) continue;
    Early& early =
        early_[host].try_emplace({facts.epoch(), sequence}, Early{fact, now}).first->second;
    early.came = std::min(early.came, now);  // its clock may be set back meanwhile
  }
}

void CollectorActor::TellRefusals(const collector::Batch& batch) {
  for (const collector::AgentRow& row : batch.agents) {
    auto& early = early_[row.host];
    for (auto it = early.begin(); it != early.end();) {
      const auto mark = row.watermarks.find(it->first.first);
      if (mark == row.watermarks.end() || it->first.second > mark->second) {
        ++it;
        continue;
      }
      world_.AuditRefusal(row.host, it->second.fact, it->second.came);
      it = early.erase(it);
    }
  }
}

void CollectorActor::CheckPromise(const Stream& stream, const v1::CollectorFrame& frame) {
  const auto row = image_->agents.find(world_.agents[stream.agent]->name());
  const auto durable = [&](uint64_t epoch) -> uint64_t {
    if (row == image_->agents.end()) return 0;
    const auto mark = row->second.watermarks.find(epoch);
    return mark == row->second.watermarks.end() ? 0 : mark->second;
  };
  const auto expect = [&](uint64_t epoch, uint64_t sequence, uint64_t may) {
    if (sequence <= may) return;
    world_.Fail(absl::StrCat("a promise ahead of the ledger: ", sequence, " of epoch ", epoch,
                             ", of which it has ", may));
  };
  if (frame.has_ack()) {
    expect(frame.ack().epoch(), frame.ack().last_sequence(), durable(frame.ack().epoch()));
  }
  for (const v1::Watermark& mark : frame.welcome().watermarks()) {
    uint64_t may = durable(mark.epoch());
    for (const v1::EpochRange& range : stream.hello.epochs()) {
      if (range.epoch() == mark.epoch()) may = std::max(may, range.first_sequence() - 1);
    }
    expect(mark.epoch(), mark.last_sequence(), may);
  }
}

void CollectorActor::Commit(std::shared_ptr<const collector::Batch> batch, Instant now,
                            std::function<void(absl::Status)> done) {
  fuse.Pass([&] {
    const int64_t takes = hangs ? dice_.Between(1'000, 90'000) : dice_.Between(1, 40);
    world_.scheduler.In(takes, [this, life = life_, batch, now, done] {
      if (life != life_) return;
      Call([&](collector::Hub&) {
        const absl::Status status = fuse.Pass([&] {
          if (disk_full) return absl::Status(absl::ResourceExhaustedError("ledger: full"));
          world_.stats.facts += batch->runs.size();
          const absl::Status stored = ledger_->Commit(*batch, now);
          if (stored.ok()) TellRefusals(*batch);
          return stored;
        });
        done(status);
      });
    });
    return 0;
  });
}

}  // namespace oppetid::simulation
