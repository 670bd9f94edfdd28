#include "tests/simulation/oracle.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace oppetid::simulation {
namespace {

using collector::StoredSpan;

struct Believed {
  int64_t from = 0, to = 0;
  State state = State::kUnknown;
  bool gap = false;
};

// Worst first; a gap counts as unknown.
int Badness(const StoredSpan& span) {
  switch (span.state) {
    case State::kCritical:
      return 3;
    case State::kWarning:
      return 2;
    case State::kOk:
      return 1;
    case State::kUnknown:
      break;
  }
  return 0;
}

// What decides when: at each instant the span with the greatest start until its end; of those that
// start together the worst, then the longest.
std::vector<Believed> Decide(std::vector<StoredSpan> spans) {
  std::sort(spans.begin(), spans.end(), [](const StoredSpan& a, const StoredSpan& b) {
    return std::tuple(a.from, -Badness(a), b.to) < std::tuple(b.from, -Badness(b), a.to);
  });
  std::vector<Believed> decided;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].from == spans[i - 1].from) continue;
    size_t next = i + 1;
    while (next < spans.size() && spans[next].from == spans[i].from) ++next;
    const int64_t from = ToUnixMillis(spans[i].from);
    int64_t to = ToUnixMillis(spans[i].to);
    if (next < spans.size()) to = std::min(to, ToUnixMillis(spans[next].from));
    if (!decided.empty() && decided.back().to == from && decided.back().gap == spans[i].gap &&
        decided.back().state == spans[i].state) {
      decided.back().to = to;
    } else {
      decided.push_back({from, to, spans[i].state, spans[i].gap});
    }
  }
  return decided;
}

using Checks = std::map<std::pair<std::string, std::string>, std::vector<StoredSpan>>;

Checks ReadSpans(const LedgerImage& image) {
  Checks checks;
  const auto ledger = OpenMemoryLedger(std::make_shared<LedgerImage>(image));
  const auto status = (*(*ledger)->OpenReader())
                          ->ForEachSpan(FromUnixMillis(0), FromUnixMillis(4 * kBeginMs),
                                        [&](const StoredSpan& span) {
                                          checks[{span.host, span.check}].push_back(span);
                                        });
  return status.ok() ? checks : Checks{};
}

class CheckJudge {
 public:
  CheckJudge(World& world, const AgentActor& agent, const DiskFacts& disk, const std::string& check,
             const TruthCheck& truth, const std::vector<StoredSpan>& spans,
             const LedgerImage::Pieces* pieces)
      : world_(world),
        agent_(agent),
        disk_(disk),
        check_(check),
        name_(agent.name() + "/" + check),
        runs_(truth.runs),
        first_(truth.runs.empty() ? -1 : truth.runs.front().since),
        pieces_(pieces),
        believed_(Decide(spans)) {
    std::stable_sort(runs_.begin(), runs_.end(),
                     [](const TruthRun& a, const TruthRun& b) { return a.since < b.since; });
  }

  void Judge() {
    JudgePieces();
    JudgeInstants();
  }

 private:
  // Every stored run was measured, and reaches no further than it was.
  void JudgePieces() {
    if (pieces_ == nullptr) return;
    for (const auto& [key, parts] : *pieces_) {
      int64_t end = key.first;
      for (const LedgerPiece& part : parts) {
        if (part.from != end || part.to <= part.from) Fail("pieces that do not follow", part.from);
        end = part.to;
      }
      if (key.second == LedgerImage::kGap) {
        ++world_.stats.gaps;
        if (!world_.plan.MayLose()) Fail("a gap where nothing can have been lost", key.first);
        continue;
      }
      const bool seen = std::any_of(runs_.begin(), runs_.end(), [&](const TruthRun& run) {
        return run.since == key.first && static_cast<int>(run.state) == key.second &&
               end <= run.to();
      });
      if (!seen) {
        Fail(absl::StrCat("a run that was not measured, state ", key.second, " until ", end),
             key.first);
      }
    }
  }

  void JudgeInstants() {
    std::set<int64_t> instants;
    for (const TruthRun& run : runs_) {
      instants.insert({run.since, run.to(), run.must() + run.valid_for});
    }
    for (const Believed& span : believed_) instants.insert({span.from, span.to});
    size_t run = 0, span = 0;
    for (const int64_t at : instants) {
      while (run < runs_.size() && runs_[run].since <= at) ++run;
      while (span < believed_.size() && believed_[span].to <= at) ++span;
      const bool holds = span < believed_.size() && believed_[span].from <= at;
      JudgeInstant(at, run, holds ? believed_[span] : Believed{});
    }
  }

  // `begun` runs had begun by then.
  void JudgeInstant(int64_t at, size_t begun, const Believed& believed) {
    if (believed.gap) {
      JudgeGap(at);
      return;
    }
    if (believed.state == State::kUnknown) JudgeDestroyed(at);
    if (agent_.clock_touched() && TwiceMeasured(believed, at)) return;
    std::string allowed;
    for (size_t i = begun; i > 0; --i) {
      const TruthRun& run = runs_[i - 1];
      if (believed.state == State::kUnknown && (GapExplains(run, at) || NoNeighbour(run))) return;
      const bool mixed = (run.given_up || run.damaged) && agent_.clock_touched();
      const bool must = run.refused < 0 && run.must() >= run.since && !mixed;
      const State full = at < run.to() ? run.state : State::kUnknown;
      const State least = must && at < run.must() + run.valid_for ? run.state : State::kUnknown;
      if (believed.state == full || believed.state == least) return;
      allowed += absl::StrCat(" ", std::string(StateName(full)), "|", std::string(StateName(least)),
                              " since ", run.since);
      const bool tie = i > 1 && runs_[i - 2].since == run.since;
      if (must && !tie) {
        Fail(absl::StrCat("believed ", std::string(StateName(believed.state)), ", may be", allowed),
             at);
        return;
      }
    }
    if (believed.state != State::kUnknown) {
      Fail(absl::StrCat("believed ", std::string(StateName(believed.state)),
                        " before anything was measured;", allowed),
           at);
    }
  }

  // How far the ledger has the run; -1: not at all.
  int64_t Stored(const TruthRun& run) const {
    const auto found = pieces_->find({run.since, static_cast<int>(run.state)});
    return found == pieces_->end() ? -1 : found->second.back().to - run.valid_for;
  }

  // How far the agent's spool still has it.
  int64_t OnDisk(const TruthRun& run) const {
    const auto found = disk_.runs.find({check_, run.since, static_cast<int>(run.state) + 1});
    return found == disk_.runs.end() ? -1 : found->second;
  }

  // What a restored ledger does not have and its agent no longer has is told as a gap, if the
  // ledger knows anything of the check from before.
  void JudgeDestroyed(int64_t at) {
    const Plan& plan = world_.plan;
    if (plan.agent_images || agent_.damaged || agent_.clock_touched() || pieces_ == nullptr) return;
    bool before = false;
    for (const TruthRun& run : runs_) {
      if (run.since > at) return;
      if (run.destroyed && before && at <= run.last && Stored(run) < at) {
        Fail("lost with a part of the ledger, and no gap tells it", at);
      }
      before = before || Stored(run) >= 0;
    }
  }

  // A gap stands where something was lost, and hides nothing that the ledger has. (A clock that was
  // set mixes the times, and no rule is left.)
  void JudgeGap(int64_t at) {
    if (agent_.clock_touched()) return;
    // What is missing between two records, or from a ledger, is told as far as it may have reached;
    // an agent with an old disk does not know what was acked since.
    bool since = agent_.damaged || agent_.restored || !world_.collector->replaced().empty();
    bool until = since;
    for (const TruthRun& run : runs_) {
      const bool lost = Stored(run) < run.last || run.dropped;
      since = since || (lost && run.since <= at);
      until = until || (lost && at < run.to());
      const int64_t stored = std::min(
          {Stored(run), agent_.damaged ? OnDisk(run) : run.last, run.damaged.value_or(run.last)});
      // An old image of the disk may bring back what was given up, and told as such.
      const bool revived = run.given_up && agent_.restored;
      if (run.state != State::kUnknown && run.since <= at && at <= stored && !revived) {
        Fail(absl::StrCat("a gap hides the run since ", run.since, ", stored until ", stored), at);
      }
    }
    if (!since || !until) Fail("a gap where nothing was lost", at);
  }

  // A clock that was set back made the agent measure this time twice; one of the measurements is
  // lost in a gap, and the other is believed.
  bool TwiceMeasured(const Believed& believed, int64_t at) const {
    if (pieces_ == nullptr) return false;
    const bool in_gap = std::any_of(pieces_->begin(), pieces_->end(), [&](const auto& stored) {
      return stored.first.second == LedgerImage::kGap && stored.first.first <= at &&
             at < stored.second.back().to;
    });
    return in_gap && std::any_of(runs_.begin(), runs_.end(), [&](const TruthRun& run) {
             return run.state == believed.state && run.since <= at && at < run.to();
           });
  }

  // Whether a damaged record of this run may have had no earlier one of its check beside it.
  bool NoNeighbour(const TruthRun& run) const {
    const Plan& plan = world_.plan;
    const bool others_go = plan.short_retain || plan.small_spool || plan.agent_images;
    return run.damaged.has_value() && (run.since == first_ || others_go);
  }

  // Whether a gap says why the run is not believed then: it speaks of that very time, or it began
  // after the run, and what it has cut never comes back.
  bool GapExplains(const TruthRun& run, int64_t at) const {
    if (pieces_ == nullptr || !world_.plan.MayLose()) return false;
    return std::any_of(pieces_->begin(), pieces_->end(), [&](const auto& stored) {
      const auto& [key, parts] = stored;
      return key.second == LedgerImage::kGap && key.first <= at &&
             (at < parts.back().to || run.since < key.first);
    });
  }

  void Fail(const std::string& what, int64_t at) {
    if (failed_++ < 3) world_.Fail(absl::StrCat(name_, " at ", at, ": ", what));
  }

  World& world_;
  const AgentActor& agent_;
  const DiskFacts& disk_;
  const std::string check_, name_;
  std::vector<TruthRun> runs_;
  int64_t
      first_;  // where the first that was measured begins; a clock set back may bring earlier ones
  const LedgerImage::Pieces* pieces_;
  std::vector<Believed> believed_;
  int failed_ = 0;
};

void JudgeRecords(World& world) {
  const int64_t now = kBeginMs + world.scheduler.now() + 20'000;  // the clock was as far ahead
  for (const auto& [check, pieces] : world.collector->image()->checks) {
    for (const auto& [key, parts] : pieces) {
      for (const LedgerPiece& part : parts) {
        const bool future = key.first > now + 60'000 || part.recorded_at > now;
        if (future) world.Fail(absl::StrCat(check.second, ": from the future: ", key.first));
      }
    }
  }
}

void JudgeBackups(World& world) {
  std::set<std::tuple<std::string, std::string, bool, int64_t>> wanted;
  const auto& stored = world.collector->image()->backups;
  for (const auto& agent : world.agents) {
    for (const auto& [key, backup] : agent->log.backups) {
      const auto& [job, kind, start] = key;
      wanted.insert({agent->name(), job, kind == 2, start});
      const auto found = stored.find({agent->name(), job, kind == 2, start});
      if (found == stored.end()) {
        if (backup.must) world.Fail(absl::StrCat(agent->name(), ": backup run lost: ", start));
      } else if (ToUnixMillis(found->second.end) != backup.end ||
                 found->second.success != backup.success) {
        world.Fail(absl::StrCat(agent->name(), ": backup run changed: ", start));
      }
    }
  }
  for (const auto& [key, run] : stored) {
    ++world.stats.backups;
    if (!wanted.contains(key)) world.Fail("a backup run that nobody told");
  }
}

// While an agent that speaks is ahead, that time becomes a gap. Only where nothing that speaks of
// it is lost on the way into the ledger.
void JudgeAhead(World& world) {
  const Plan& plan = world.plan;
  if (plan.crashes || plan.ledger_disk || plan.ledger_images) return;
  for (const auto& agent : world.agents) {
    for (const auto& [check, truth] : agent->log.checks) {
      const auto pieces = world.collector->image()->checks.find({agent->name(), check});
      for (const int64_t at : agent->log.heard_ahead) {
        const bool told =
            pieces != world.collector->image()->checks.end() &&
            std::any_of(pieces->second.begin(), pieces->second.end(), [&](const auto& stored) {
              const auto& [key, parts] = stored;
              return key.second == LedgerImage::kGap && key.first <= at && at < parts.back().to;
            });
        if (!told)
          world.Fail(
              absl::StrCat(agent->name(), "/", check, ": ahead at ", at, ", and no gap tells it"));
      }
    }
  }
}

}  // namespace

void Judge(World& world) {
  const LedgerImage& image = *world.collector->image();
  Checks spans = ReadSpans(image);
  for (const auto& agent : world.agents) {
    world.stats.observations += agent->log.observations;
    const DiskFacts disk = agent->disk.Facts();
    for (const auto& [name, truth] : agent->log.checks) {
      const std::pair key(agent->name(), name);
      const auto pieces = image.checks.find(key);
      CheckJudge(world, *agent, disk, name, truth, spans[key],
                 pieces == image.checks.end() ? nullptr : &pieces->second)
          .Judge();
    }
  }
  JudgeRecords(world);
  JudgeBackups(world);
  JudgeAhead(world);
}

void JudgeCopy(World& world, const LedgerImage& copy) {
  for (const auto& agent : world.agents) {
    for (const auto& [key, last] : agent->disk.Facts().runs) {
      const auto check = copy.checks.find({agent->name(), key.check});
      const auto run = check == copy.checks.end() ? LedgerImage::Pieces::const_iterator{}
                                                  : check->second.find({key.since, key.state - 1});
      const bool found = check != copy.checks.end() && run != check->second.end() &&
                         run->second.back().to >= last + agent->log.checks.at(key.check).valid_for;
      if (!found) {
        world.Fail(absl::StrCat(agent->name(), "/", key.check, ": not sent again: ", key.since));
      }
    }
    for (const auto& [key, end] : agent->disk.Facts().backups) {
      const auto& [job, kind, start] = key;
      if (copy.backups.contains({agent->name(), job, kind == 2, start})) continue;
      world.Fail(absl::StrCat(agent->name(), ": backup run not sent again: ", start));
    }
  }
  for (const auto& [name, pieces] : copy.checks) {
    const auto agent = std::find_if(world.agents.begin(), world.agents.end(),
                                    [&](const auto& a) { return a->name() == name.first; });
    const auto& runs = (*agent)->log.checks.at(name.second).runs;
    for (const auto& [key, parts] : pieces) {
      if (key.second == LedgerImage::kGap) continue;
      const bool seen = std::any_of(runs.begin(), runs.end(), [&](const TruthRun& run) {
        return run.since == key.first && static_cast<int>(run.state) == key.second &&
               parts.back().to <= run.to();
      });
      if (!seen) world.Fail(absl::StrCat(name.second, ": sent, but never measured: ", key.first));
    }
  }
}

std::vector<std::string> Canonical(const LedgerImage& ledger) {
  std::vector<std::string> lines;
  for (const auto& [check, spans] : ReadSpans(ledger)) {
    for (const Believed& span : Decide(spans)) {
      lines.push_back(absl::StrCat(check.first, "/", check.second, " ",
                                   span.gap ? "gap" : std::string(StateName(span.state)), " ",
                                   span.from, " ", span.to));
    }
  }
  for (const auto& [key, run] : ledger.backups) {
    lines.push_back(absl::StrCat(run.host, "/", run.job, " ", run.restore_test, " ",
                                 ToUnixMillis(run.start), " ", ToUnixMillis(run.end), " ",
                                 run.success));
  }
  return lines;
}

}  // namespace oppetid::simulation
