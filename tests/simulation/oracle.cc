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
  CheckJudge(World& world, std::string name, const TruthCheck& truth,
             const std::vector<StoredSpan>& spans, const LedgerImage::Pieces* pieces)
      : world_(world),
        name_(std::move(name)),
        runs_(truth.runs),
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
    if (believed.gap && world_.plan.MayLose()) return;
    if (world_.plan.clocks && TwiceMeasured(believed, at)) return;
    std::string allowed;
    for (size_t i = begun; i > 0; --i) {
      const TruthRun& run = runs_[i - 1];
      if (believed.state == State::kUnknown && (GapExplains(run, at) || NoNeighbour(i))) return;
      const bool must = !run.ahead && run.must() >= run.since;
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
  bool NoNeighbour(size_t begun) const {
    const Plan& plan = world_.plan;
    const bool others_go = plan.short_retain || plan.small_spool || plan.agent_images;
    return plan.damage && (begun == 1 || others_go);
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
  std::string name_;
  std::vector<TruthRun> runs_;
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

}  // namespace

void Judge(World& world) {
  const LedgerImage& image = *world.collector->image();
  Checks spans = ReadSpans(image);
  for (const auto& agent : world.agents) {
    world.stats.observations += agent->log.observations;
    for (const auto& [name, truth] : agent->log.checks) {
      const std::pair key(agent->name(), name);
      const auto pieces = image.checks.find(key);
      CheckJudge(world, agent->name() + "/" + name, truth, spans[key],
                 pieces == image.checks.end() ? nullptr : &pieces->second)
          .Judge();
    }
  }
  JudgeRecords(world);
  JudgeBackups(world);
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
