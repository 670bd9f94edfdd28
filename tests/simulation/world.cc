#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tests/simulation/faults.h"

namespace oppetid::simulation {
namespace {

constexpr int64_t kSettleMs = 150'000;         // measuring goes on after the last fault
constexpr int64_t kDrainWithinMs = 1'800'000;  // twice refused for a duplicate identity, and more
// An agent writes its open runs each interval, give or take an attempt.
constexpr int64_t kSaveSlackMs = 1'500;

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

void World::Up(const std::shared_ptr<Stream>& stream, const v1::AgentFrame& frame) {
  stream->up_free = std::max(stream->up_free, scheduler.now() + Delay());
  const int times = !healed_ && plan.network && !frame.has_hello() && dice.OneIn(60) ? 2 : 1;
  scheduler.In(stream->up_free - scheduler.now(), [this, stream, frame, times] {
    for (int i = 0; i < times && !stream->cut; ++i) collector->OnFrame(stream, frame);
  });
}

void World::Down(const std::shared_ptr<Stream>& stream, const v1::CollectorFrame& frame) {
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

namespace {

// The last instant of a run that a ledger knows; -1 if it does not know the run.
int64_t KnownIn(const LedgerImage& ledger, const std::string& host, const std::string& check,
                const TruthRun& run) {
  int64_t last = -1;
  const int state = static_cast<int>(run.state);
  const auto pieces = ledger.checks.find({host, check});
  if (pieces != ledger.checks.end()) {
    const auto found = pieces->second.find({run.since, state});
    if (found != pieces->second.end()) last = found->second.back().to - run.valid_for;
  }
  const auto agent = ledger.agents.find(host);
  if (agent == ledger.agents.end()) return last;
  for (const collector::StoredOpenRun& open : agent->second.runs) {
    if (open.check == check && ToUnixMillis(open.since) == run.since && open.state == run.state) {
      last = std::max(last, ToUnixMillis(open.last));
    }
  }
  return last;
}

int64_t KnownOn(const DiskFacts& disk, const std::string& check, const TruthRun& run) {
  const auto found = disk.runs.find({check, run.since, static_cast<int>(run.state) + 1});
  return found == disk.runs.end() ? -1 : found->second;
}

bool InGap(const DiskFacts& disk, const LedgerImage& ledger, const std::string& host,
           const std::string& check, int64_t instant) {
  const auto [begin, end] = disk.gaps.equal_range(check);
  for (auto gap = begin; gap != end; ++gap) {
    if (gap->second.first <= instant && instant < gap->second.second) return true;
  }
  const auto pieces = ledger.checks.find({host, check});
  if (pieces == ledger.checks.end()) return false;
  for (const auto& [key, parts] : pieces->second) {
    if (key.second == LedgerImage::kGap && key.first <= instant && instant < parts.back().to) {
      return true;
    }
  }
  return false;
}

}  // namespace

void World::AuditKill(AgentActor& agent, bool in_call) {
  const DiskFacts disk = agent.disk.Facts();
  const LedgerImage& ledger = *collector->image();
  const int64_t now = scheduler.now();
  const int64_t interval = agent.interval().count();
  const bool healthy = agent.disk.last_failure() < now - 3 * interval;
  // Damage and images have their own audits; what they took was known to be on the disk.
  for (auto& [name, check] : agent.log.checks) {
    for (TruthRun& run : check.runs) {
      if (run.floor) continue;
      int64_t promised = -1;
      const bool closed = !run.open && !(in_call && run.closed_in == agent.call());
      for (const auto& [at, instant] : run.seen) {
        if (closed || at < now - interval - kSaveSlackMs) promised = instant;
      }
      const int64_t known =
          std::max(KnownOn(disk, name, run), KnownIn(ledger, agent.name(), name, run));
      // A clock that was set back may bring the very same instants again.
      const bool seen = std::any_of(check.runs.begin(), check.runs.end(), [&](const auto& same) {
        return same.since == run.since && same.state == run.state && known <= same.last;
      });
      if (!seen && known >= 0) {
        Fail(absl::StrCat(agent.name(), "/", name, ": a run from ", run.since, " that reaches ",
                          known, " was seen only until ", run.last));
      }
      run.floor = std::min(known, run.last);
      if (known >= promised) continue;
      // What a clock ahead has brought may be refused, acked as such, and trimmed.
      if (run.ahead && plan.short_retain) continue;
      if (InGap(disk, ledger, agent.name(), name, promised)) {
        run.floor = promised;
      } else if (healthy && !plan.damage && !plan.agent_images && !plan.ledger_images) {
        Fail(absl::StrCat(agent.name(), "/", name, ": a kill lost the run from ", run.since,
                          ": known until ", known, ", seen until ", promised));
      }
    }
  }
  for (auto& [key, backup] : agent.log.backups) {
    if (!backup.must || backup.told_in == 0) continue;
    const auto& [job, kind, start] = key;
    const bool known = disk.backups.contains(key) ||
                       ledger.backups.contains({agent.name(), job, kind == 2, start});
    if (known) {
      backup.told_in = 0;  // settled: it stays known
      continue;
    }
    backup.must = false;
    const bool in_this_call = in_call && backup.told_in == agent.call();
    if (healthy && !in_this_call && !plan.damage && !plan.agent_images && !plan.ledger_images) {
      Fail(absl::StrCat(agent.name(), ": a kill lost the backup run from ", start));
    }
  }
}

void World::AuditRestore(AgentActor& agent, const LedgerImage* before) {
  ++stats.restores;
  const DiskFacts disk = agent.disk.Facts();
  const LedgerImage& ledger = *collector->image();
  for (auto& [name, check] : agent.log.checks) {
    for (TruthRun& run : check.runs) {
      if (run.open && agent.alive()) continue;  // memory has it
      // What was acked may be gone before the agent hears of it.
      const bool acked =
          before != nullptr && KnownIn(*before, agent.name(), name, run) >= run.must();
      const int64_t on_disk = plan.short_retain && acked ? -1 : KnownOn(disk, name, run);
      const int64_t known = std::max(on_disk, KnownIn(ledger, agent.name(), name, run));
      // A living agent still holds in memory what it could not write.
      if (!run.floor && agent.alive() && before != nullptr &&
          KnownIn(*before, agent.name(), name, run) < run.last) {
        continue;
      }
      if (known < run.must()) run.floor = known;
    }
  }
  for (auto& [key, backup] : agent.log.backups) {
    const auto& [job, kind, start] = key;
    backup.must = backup.must && ((disk.backups.contains(key) && !plan.short_retain) ||
                                  ledger.backups.contains({agent.name(), job, kind == 2, start}));
  }
}

}  // namespace oppetid::simulation
