#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tests/simulation/faults.h"

namespace oppetid::simulation {
namespace {

constexpr int64_t kSettleMs = 150'000;         // measuring goes on after the last fault
constexpr int64_t kDrainWithinMs = 1'800'000;  // twice refused for a duplicate identity, and more

}  // namespace

Plan Plan::Of(uint64_t seed) {
  Dice dice(seed * 2'654'435'761 + 1);
  Plan plan;
  plan.seed = seed;
  plan.network = !dice.OneIn(4);
  plan.kills = dice.OneIn(2);
  plan.crashes = dice.OneIn(2);
  plan.disk = dice.OneIn(3);
  plan.ledger_disk = dice.OneIn(3);
  plan.clocks = dice.OneIn(4);
  plan.damage = dice.OneIn(4);
  plan.agent_images = dice.OneIn(5);
  plan.ledger_images = dice.OneIn(5);
  plan.small_spool = dice.OneIn(8);
  plan.short_retain = dice.OneIn(4);
  return plan;
}

std::string Plan::Text() const {
  std::string text = absl::StrCat("seed ", seed, ":");
  const std::pair<bool, const char*> kinds[] = {{network, " network"},
                                                {kills, " kills"},
                                                {crashes, " crashes"},
                                                {disk, " disk"},
                                                {ledger_disk, " ledger-disk"},
                                                {clocks, " clocks"},
                                                {damage, " damage"},
                                                {agent_images, " agent-images"},
                                                {ledger_images, " ledger-images"},
                                                {small_spool, " small-spool"},
                                                {short_retain, " short-retain"}};
  for (const auto& [on, name] : kinds) {
    if (on) text += name;
  }
  return text;
}

void Stats::Add(const Stats& other) {
  observations += other.observations;
  facts += other.facts;
  kills += other.kills;
  crashes += other.crashes;
  restores += other.restores;
  streams += other.streams;
  frames += other.frames;
  gaps += other.gaps;
  backups += other.backups;
}

World::World(Plan p, bool trace, size_t count) : plan(p), dice(p.seed), trace_(trace) {
  collector = std::make_unique<CollectorActor>(*this);
  for (size_t i = 0; i < count; ++i) agents.push_back(std::make_unique<AgentActor>(*this, i));
}

void World::Fail(const std::string& what) {
  failures_.push_back(absl::StrCat("at ", scheduler.now(), " ms: ", what));
  Trace("FAILED: " + what);
}

void World::Trace(const std::string& what) {
  if (trace_) std::printf("%10lld %s\n", static_cast<long long>(scheduler.now()), what.c_str());
}

int64_t World::Delay() {
  if (healed_ || !plan.network || !dice.OneIn(20)) return dice.Between(1, 30);
  return dice.Between(30, 6'000);
}

std::shared_ptr<Stream> World::Open(size_t agent, uint64_t life) {
  auto stream = std::make_shared<Stream>();
  stream->id = next_stream_++;
  stream->agent = agent;
  stream->life = life;
  stream->up_free = stream->down_free = scheduler.now();
  std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
  streams_.push_back(stream);
  ++stats.streams;
  if (partitioned_until[agent] > scheduler.now()) {
    stream->cut = true;
    // Refused at once, or swallowed: then the agent's own patience ends it.
    if (dice.OneIn(2)) TellAgent(stream, dice.Between(1, 3'000), "unreachable");
    return stream;
  }
  stream->up_free = scheduler.now() + Delay();
  scheduler.In(stream->up_free - scheduler.now(), [this, stream] {
    if (stream->cut) return;
    if (!collector->alive()) {
      TellAgent(stream, 1, "connection refused");
      return;
    }
    collector->Accept(stream);
  });
  return stream;
}

void World::TraceFrame(const Stream& stream, const char* way, const google::protobuf::Message& m) {
  if (!trace_) return;
  Trace(
      absl::StrCat(agents[stream.agent]->name(), " stream ", stream.id, way, m.ShortDebugString()));
}

void World::Up(const std::shared_ptr<Stream>& stream, const v1::AgentFrame& frame) {
  TraceFrame(*stream, " says ", frame);
  stream->up_free = std::max(stream->up_free, scheduler.now() + Delay());
  const int times = !healed_ && plan.network && !frame.has_hello() && dice.OneIn(60) ? 2 : 1;
  scheduler.In(stream->up_free - scheduler.now(), [this, stream, frame, times] {
    for (int i = 0; i < times && !stream->cut; ++i) collector->OnFrame(stream, frame);
  });
}

void World::Down(const std::shared_ptr<Stream>& stream, const v1::CollectorFrame& frame) {
  TraceFrame(*stream, " is told ", frame);
  stream->down_free = std::max(stream->down_free, scheduler.now() + Delay());
  const int times = !healed_ && plan.network && dice.OneIn(60) ? 2 : 1;
  scheduler.In(stream->down_free - scheduler.now(), [this, stream, frame, times] {
    for (int i = 0; i < times && !stream->cut && stream->agent_listens; ++i) {
      agents[stream->agent]->OnFrame(stream, frame);
    }
  });
}

void World::TellAgent(const std::shared_ptr<Stream>& stream, int64_t ms, const std::string& why) {
  stream->down_free = std::max(stream->down_free, scheduler.now() + ms);
  scheduler.In(stream->down_free - scheduler.now(), [this, stream, why] {
    if (stream->agent_listens) agents[stream->agent]->OnClosed(stream, why);
  });
}

void World::TellCollector(const std::shared_ptr<Stream>& stream, int64_t ms) {
  stream->up_free = std::max(stream->up_free, scheduler.now() + ms);
  scheduler.In(stream->up_free - scheduler.now(), [this, stream] { collector->OnClosed(stream); });
}

void World::CutAll() {
  for (const auto& weak : streams_) {
    const auto stream = weak.lock();
    if (!stream || stream->cut) continue;
    stream->cut = true;
    TellAgent(stream, dice.OneIn(4) ? dice.Between(50, 20'000) : dice.Between(1, 50), "reset");
  }
}

void World::Start() {
  collector->Start();
  for (const auto& agent : agents) {
    scheduler.In(dice.Between(0, 5'000), [&agent] { agent->Start(); });
  }
}

void World::Run() {
  Start();
  const auto faults = std::make_shared<Faults>(*this);
  faults_ = faults;
  faults->Plan();
  scheduler.Run(kHourMs);
  faults->Heal();
  healed_ = true;
  scheduler.Run(kHourMs + kSettleMs);
  // Open runs become facts: every agent ends as it should and comes back to deliver.
  quiet = true;
  for (const auto& agent : agents) {
    agent->Stop();
    agent->Start();
  }
  if (!Drain()) Fail("it does not come to rest: facts are still waiting to be delivered");
  if (!collector->alive()) Fail("the collector is down at the end");
}

bool World::Drain() {
  const int64_t end = scheduler.now() + kDrainWithinMs;
  while (scheduler.now() < end) {
    scheduler.Run(scheduler.now() + 5'000);
    const bool idle =
        std::all_of(agents.begin(), agents.end(), [](const auto& agent) { return agent->idle(); });
    if (!idle || !collector->alive()) continue;
    bool flushed = false;
    collector->hub().Flush([&](const absl::Status& status) { flushed = status.ok(); });
    scheduler.Run(scheduler.now() + 1'000);
    return flushed;
  }
  return false;
}

std::shared_ptr<LedgerImage> World::SendAllAgain(uint64_t seed) {
  dice = Dice(seed);
  collector->Die();
  collector->Replace(collector->NewImage());
  // By then nothing that a clock ahead has brought is from the future any more.
  if (plan.clocks) scheduler.Run(scheduler.now() + 1'800'000);
  collector->Start();
  scheduler.Run(scheduler.now() + 60'000);
  if (!Drain()) Fail("it does not come to rest on another ledger");
  return collector->image();
}

}  // namespace oppetid::simulation
