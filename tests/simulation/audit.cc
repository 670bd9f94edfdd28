// The world's audits: what each act of destruction may have cost, judged when it happens.
//
// What is excused is excused by evidence: the very fact that a ledger refused, that a flipped bit
// hit, that a restored image lacks. Everything else must be on the agent's disk, in the ledger, or
// inside a gap that is as durable.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace oppetid::simulation {
namespace {

// An agent writes its open runs each interval, give or take an attempt.
constexpr int64_t kSaveSlackMs = 1'500;

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

FactKey KeyOf(const std::string& check, const TruthRun& run) {
  return {check, run.since, static_cast<int>(run.state) + 1};
}

int64_t KnownOn(const DiskFacts& disk, const std::string& check, const TruthRun& run) {
  const auto found = disk.runs.find(KeyOf(check, run));
  return found == disk.runs.end() ? -1 : found->second;
}

bool InGap(const DiskFacts& disk, const LedgerImage& ledger, const std::string& host,
           const std::string& check, int64_t from, int64_t to) {
  const auto [begin, end] = disk.gaps.equal_range(check);
  for (auto gap = begin; gap != end; ++gap) {
    if (gap->second.first <= from && to <= gap->second.second) return true;
  }
  const auto pieces = ledger.checks.find({host, check});
  if (pieces == ledger.checks.end()) return false;
  return std::any_of(pieces->second.begin(), pieces->second.end(), [&](const auto& stored) {
    const auto& [key, parts] = stored;
    return key.second == LedgerImage::kGap && key.first <= from && to <= parts.back().to;
  });
}

LedgerImage::BackupKey LedgerKey(const std::string& host,
                                 const std::tuple<std::string, int, int64_t>& key) {
  const auto& [job, kind, start] = key;
  return {host, job, kind == 2, start};
}

// Whether a ledger that was replaced since had the whole of it.
bool WasStored(const CollectorActor& collector, const std::string& host, const std::string& check,
               const TruthRun& run, int64_t last) {
  const auto& replaced = collector.replaced();
  return std::any_of(replaced.begin(), replaced.end(), [&](const auto& ledger) {
    return KnownIn(*ledger, host, check, run) >= last;
  });
}

// What a disk refused is written by then, or told.
bool Healthy(const AgentActor& agent, int64_t now) {
  return agent.disk.last_failure() < now - agent.interval().count() - kSaveSlackMs;
}

}  // namespace

void World::AuditKill(AgentActor& agent, End end) {
  SettleDebts(agent);
  const DiskFacts disk = agent.disk.Facts();
  const LedgerImage& ledger = *collector->image();
  const int64_t saved = scheduler.now() - agent.interval().count() - kSaveSlackMs;
  const bool healthy = Healthy(agent, scheduler.now());
  const auto in_this_call = [&](uint64_t call) {
    return end == End::kKilledInCall && call == agent.call();
  };
  for (const Debt& debt : std::exchange(agent.debts, {})) {
    if (healthy) {
      Fail(absl::StrCat(agent.name(), "/", debt.check, ": removed from the spool until ", debt.to,
                        ", from ", debt.from, ", never acked, and no gap tells it"));
    }
    for (TruthRun& run : agent.log.checks.at(debt.check).runs) {
      if (debt.run != KeyOf(debt.check, run)) continue;
      const int64_t known =
          std::max(KnownOn(disk, debt.check, run), KnownIn(ledger, agent.name(), debt.check, run));
      run.floor = std::min(run.must(), known);
    }
  }
  for (auto& [name, check] : agent.log.checks) {
    for (TruthRun& run : check.runs) {
      if (run.floor) continue;
      int64_t promised = -1;
      const bool all =
          (!run.open && !in_this_call(run.closed_in)) || (end == End::kStopped && healthy);
      for (const auto& [at, instant] : run.seen) {
        if (all || at < saved) promised = instant;
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
      // Refused and therefore acked, it went as everything acked goes: AuditRemoval watches that.
      if (run.refused >= promised) continue;
      if (run.damaged || run.given_up ||
          InGap(disk, ledger, agent.name(), name, promised, promised + 1)) {
        run.floor = promised;  // or a gap, or there is no neighbour to tell it by
      } else if (healthy) {
        Fail(absl::StrCat(agent.name(), "/", name, ": a kill lost the run from ", run.since,
                          ": known until ", known, ", seen until ", promised));
      }
    }
  }
  for (auto& [key, backup] : agent.log.backups) {
    if (!backup.must || backup.told_in == 0) continue;
    if (disk.backups.contains(key) || ledger.backups.contains(LedgerKey(agent.name(), key))) {
      backup.told_in = 0;  // settled: it stays known
      continue;
    }
    backup.must = false;
    if (healthy && !in_this_call(backup.told_in)) {
      Fail(absl::StrCat(agent.name(), ": a kill lost the backup run from ", std::get<2>(key)));
    }
  }
}

void World::AuditRestore(AgentActor& agent) {
  ++stats.restores;
  const DiskFacts disk = agent.disk.Facts();
  const LedgerImage& ledger = *collector->image();
  for (auto& [name, check] : agent.log.checks) {
    for (TruthRun& run : check.runs) {
      if (run.open && agent.alive()) continue;  // memory has it
      const int64_t known =
          std::max(KnownOn(disk, name, run), KnownIn(ledger, agent.name(), name, run));
      // A living agent still holds in memory what it could not write.
      const bool delivered = WasStored(*collector, agent.name(), name, run, run.last);
      if (!run.floor && agent.alive() && !delivered && !run.given_up) continue;
      if (known >= run.must()) continue;
      run.floor = known;
      run.destroyed = run.trimmed;
    }
  }
  for (auto& [key, backup] : agent.log.backups) {
    backup.must = backup.must && (disk.backups.contains(key) ||
                                  ledger.backups.contains(LedgerKey(agent.name(), key)));
  }
}

void World::AuditRemoval(AgentActor& agent, const std::string& file) {
  const auto facts = agent.disk.FactsOf(file);
  Trace(absl::StrCat(agent.name(), " removes ", file, " with ", facts.size(), " facts"));
  if (facts.empty()) return;
  const DiskFacts others = agent.disk.Facts(/*except=*/file);
  const LedgerImage& ledger = *collector->image();
  const bool may_be_full = plan.small_spool || plan.disk;
  for (const auto& [epoch, sequence, fact] : facts) {
    const bool acked = agent.Acked(epoch, sequence);
    const auto [from, to] = agent::FactRange(fact);
    if (acked && to + agent.retain() > FromUnixMillis(agent.wall()) && !may_be_full) {
      Fail(absl::StrCat(agent.name(), ": removed before its time: ", fact.ShortDebugString()));
    }
    if (fact.has_gap() && !acked) {
      agent.debts.push_back(
          {fact.gap().check(), std::nullopt, 0, fact.gap().from_ms(), fact.gap().to_ms()});
    } else if (fact.has_run()) {
      RemoveRun(agent, fact.run(), acked, others);
    } else if (fact.has_backup()) {
      const v1::BackupRun& told = fact.backup();
      const std::tuple key(told.job(), static_cast<int>(told.kind()), told.start_ms());
      const auto backup = agent.log.backups.find(key);
      if (backup == agent.log.backups.end() || !backup->second.must) continue;
      const auto stored = LedgerKey(agent.name(), key);
      if (others.backups.contains(key) || ledger.backups.contains(stored)) continue;
      backup->second.must = false;
      const bool was_stored =
          std::any_of(collector->replaced().begin(), collector->replaced().end(),
                      [&](const auto& image) { return image->backups.contains(stored); });
      if (acked ? !was_stored : !may_be_full) {
        Fail(absl::StrCat(agent.name(), ": removed, and in no ledger: ", fact.ShortDebugString()));
      }
    }
  }
  // By now the gaps must be durable: a good moment for a kill.
  if (!agent.debts.empty() && plan.kills && !healed_ && dice.OneIn(4)) {
    agent.fuse.Arm(1, /*before=*/true);
  }
}

void World::AuditRecord(AgentActor& agent, const std::string& record, const DiskFacts& gone) {
  const DiskFacts others = agent.disk.Facts(/*except=*/record);
  for (const auto& [key, last] : gone.runs) {
    for (const TruthRun& run : agent.log.checks.at(key.check).runs) {
      if (KeyOf(key.check, run) != key || run.last < last) continue;
      if (std::max(KnownOn(others, key.check, run),
                   KnownIn(*collector->image(), agent.name(), key.check, run)) >= last) {
        continue;
      }
      if (run.refused >= last || run.given_up || run.damaged) continue;
      if (WasStored(*collector, agent.name(), key.check, run, last)) continue;
      Fail(absl::StrCat(agent.name(), "/", key.check, ": the run from ", key.since, " until ", last,
                        " goes with the record of open runs"));
    }
  }
}

void World::RemoveRun(AgentActor& agent, const v1::ClosedRun& fact, bool acked,
                      const DiskFacts& others) {
  const std::string& name = fact.check();
  const FactKey key{name, fact.since_ms(), static_cast<int>(fact.state())};
  for (TruthRun& run : agent.log.checks.at(name).runs) {
    if (KeyOf(name, run) != key || run.last < fact.last_ms()) continue;
    run.trimmed = run.trimmed || acked;
    run.dropped = run.dropped || !acked;
    const int64_t known =
        std::max(KnownOn(others, name, run), KnownIn(*collector->image(), agent.name(), name, run));
    if (known >= fact.last_ms()) continue;
    if (!acked) {
      agent.debts.push_back(
          {name, key, fact.last_ms(), fact.since_ms(), fact.last_ms() + fact.valid_for_ms()});
      continue;
    }
    // It was refused, or a ledger had it that was replaced since.
    if (run.refused < fact.last_ms() && !run.given_up &&
        !WasStored(*collector, agent.name(), name, run, fact.last_ms())) {
      Fail(absl::StrCat(agent.name(),
                        ": acked, removed, and in no ledger: ", fact.ShortDebugString()));
    }
    if (run.refused >= fact.last_ms() || known >= run.must()) continue;
    run.floor = known;
    run.destroyed = true;
  }
}

void World::SettleDebts(AgentActor& agent) {
  if (agent.debts.empty()) return;
  const DiskFacts disk = agent.disk.Facts();
  const LedgerImage& ledger = *collector->image();
  std::erase_if(agent.debts, [&](const Debt& debt) {
    auto& runs = agent.log.checks.at(debt.check).runs;
    if (InGap(disk, ledger, agent.name(), debt.check, debt.from, debt.to)) {
      for (TruthRun& run : runs) {
        run.given_up = run.given_up || debt.run == KeyOf(debt.check, run);
      }
      return true;
    }
    return std::any_of(runs.begin(), runs.end(), [&](const TruthRun& run) {
      return debt.run == KeyOf(debt.check, run) &&
             std::max(KnownOn(disk, debt.check, run),
                      KnownIn(ledger, agent.name(), debt.check, run)) >= debt.last;
    });
  });
}

void World::AuditDamage(AgentActor& agent, const DiskFacts& before) {
  const DiskFacts after = agent.disk.Facts();
  agent.damaged = true;
  for (auto& [name, check] : agent.log.checks) {
    for (TruthRun& run : check.runs) {
      const int64_t known = KnownOn(after, name, run);
      if (known < KnownOn(before, name, run)) run.damaged = known;
    }
  }
  // Nobody can make a gap of a backup run; while its sensor tells it, it is heard again.
  for (auto& [key, backup] : agent.log.backups) {
    if (before.backups.contains(key) && !after.backups.contains(key) &&
        !collector->image()->backups.contains(LedgerKey(agent.name(), key))) {
      backup.must = false;
    }
  }
}

void World::AuditRefusal(const std::string& host, const v1::Fact& fact, int64_t came) {
  const LedgerImage& ledger = *collector->image();
  const auto found = std::find_if(agents.begin(), agents.end(),
                                  [&](const auto& agent) { return agent->name() == host; });
  if (found == agents.end()) return;
  SideLog& log = (*found)->log;
  if (fact.has_backup()) {
    const v1::BackupRun& told = fact.backup();
    const std::tuple key(told.job(), static_cast<int>(told.kind()), told.start_ms());
    const auto backup = log.backups.find(key);
    if (backup == log.backups.end() || ledger.backups.contains(LedgerKey(host, key))) return;
    backup->second.must = false;
    return;
  }
  const v1::ClosedRun& told = fact.run();
  const int64_t past = std::min(told.last_ms(), came);
  for (TruthRun& run : log.checks.at(told.check()).runs) {
    if (KeyOf(told.check(), run) !=
        FactKey{told.check(), told.since_ms(), static_cast<int>(told.state())}) {
      continue;
    }
    if (KnownIn(ledger, host, told.check(), run) >= told.last_ms()) continue;  // taken later
    if (run.given_up) continue;  // held back, and gone before it came again
    run.refused = std::max(run.refused, told.last_ms());
    if (told.since_ms() < past && !InGap({}, ledger, host, told.check(), told.since_ms(), past)) {
      Fail(absl::StrCat(host, ": refused without a gap: ", told.ShortDebugString()));
    }
  }
}

}  // namespace oppetid::simulation
