// The past of an agent: numbered facts, applied once and in order, and what became of those that
// are missing.
#include <algorithm>

#include "collector/agent_state.h"
#include "collector/run_rules.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr char kLostReason[] = "lost with a part of the ledger";
// Gaps of one check that lie apart from each other and are remembered while a loss is open: an
// agent tells one for each time its spool was full. Beyond them the time is unknown without a gap.
constexpr size_t kMaxToldInLoss = 100;

}  // namespace

std::vector<v1::Watermark> AgentState::Watermarks(const v1::Hello& hello) {
  const auto known = [](const std::map<uint64_t, uint64_t>& marks, uint64_t epoch) {
    const auto found = marks.find(epoch);
    return found == marks.end() ? 0 : found->second;
  };
  std::map<uint64_t, uint64_t> kept, told;
  bool lost = false;
  for (const v1::EpochRange& range : hello.epochs()) {
    const uint64_t epoch = range.epoch();
    // What nobody has any more cannot be waited for.
    const uint64_t gone = range.first_sequence() - 1;
    // It was acked, but not by this ledger as it is now. What was never acked is the agent's to
    // tell.
    lost = lost || std::min(gone, range.acked_sequence()) > known(watermarks_, epoch);
    kept[epoch] = std::max({kept[epoch], known(watermarks_, epoch), gone});
    // An agent forgets what it is told here, so that a commit still under way does not count.
    told[epoch] = std::max({told[epoch], known(durable_, epoch), gone});
  }
  std::vector<v1::Watermark> marks;
  for (const auto& [epoch, sequence] : told) {
    marks.emplace_back();
    marks.back().set_epoch(epoch);
    marks.back().set_last_sequence(sequence);
  }
  // Epochs that the agent has dropped will never be sent again.
  watermarks_ = std::move(kept);
  if (lost) BeginLoss();
  lost_until_.clear();
  for (const v1::EpochRange& range : hello.epochs()) {
    lost_until_[range.epoch()] = range.next_sequence() - 1;
  }
  return marks;
}

void AgentState::BeginLoss() {
  std::erase_if(lost_, [](const auto& known) { return known.second.until.has_value(); });
  for (const Check& check : checks_) {
    if (check.run) lost_.try_emplace(check.name, Loss{*check.run, std::nullopt, {}});
  }
  LogWarning("facts that were acked are neither in this ledger nor at their agent any more",
             {{"host", host_}});
}

void AgentState::SurvivedLoss(const std::string& check, State state, Instant since, Batch* batch) {
  const auto lost = lost_.find(check);
  if (lost == lost_.end() || lost->second.until) return;
  Loss& loss = lost->second;
  const Instant from = loss.known.last + Millis(1);
  const bool same = loss.known.state == state && loss.known.since == since;
  if (same || from >= since) {
    lost_.erase(lost);
    return;
  }
  batch->gaps.push_back({host_, check, from, since, kLostReason});
  ++gaps_;
  for (const auto& [begin, end] : loss.told) {
    if (end < since) batch->gaps.push_back({host_, check, end, since, kLostReason});
  }
  loss.until = since;
  loss.told.clear();
}

void AgentState::WriteGap(GapWrite gap, Batch* batch) {
  const auto lost = lost_.find(gap.check);
  if (lost != lost_.end() && gap.from > lost->second.known.last) {
    Loss& loss = lost->second;
    if (loss.until) {
      if (gap.to < *loss.until) {
        batch->gaps.push_back({host_, gap.check, gap.to, *loss.until, kLostReason});
      }
    } else if (!loss.told.empty() && loss.told.back().first <= gap.from &&
               gap.from <= loss.told.back().second) {
      loss.told.back() = {gap.from, gap.to};  // it cuts that one in turn
    } else if (loss.told.size() < kMaxToldInLoss) {
      loss.told.emplace_back(gap.from, gap.to);
    }
  }
  batch->gaps.push_back(std::move(gap));
}

void AgentState::EndLoss(Instant now, Batch* batch) {
  if (lost_.empty() || !snapshot_seen_) return;
  for (const auto& [epoch, sequence] : lost_until_) {
    const auto mark = watermarks_.find(epoch);
    if (mark != watermarks_.end() && mark->second < sequence) return;  // some are still to come
  }
  for (const Check& check : checks_) {
    if (check.run && check.run->open) {
      SurvivedLoss(check.name, check.run->state, check.run->since, batch);
    }
  }
  for (auto lost = lost_.begin(); lost != lost_.end();) {
    const std::string check = lost++->first;
    SurvivedLoss(check, State::kUnknown, now, batch);
  }
  lost_.clear();
  dirty_ = row_due_ = true;
}

Reason AgentState::OnFacts(const v1::Facts& facts, Instant now, Batch* batch, uint32_t* refused) {
  *refused = 0;
  const auto count = static_cast<uint64_t>(facts.facts_size());
  if (count == 0 || count > limits::kFactsPerFrame) return "facts_count";
  const auto mark = watermarks_.find(facts.epoch());
  if (mark == watermarks_.end()) return "unknown_epoch";
  if (facts.first_sequence() == 0 || facts.first_sequence() > UINT64_MAX - count) return "sequence";
  if (facts.first_sequence() > mark->second + 1) return "out_of_order";
  for (uint64_t i = 0; i < count; ++i) {
    if (facts.first_sequence() + i <= mark->second) {
      counters_.duplicates.Increment();
      continue;
    }
    const v1::Fact& fact = facts.facts(static_cast<int>(i));
    const Reason reason = ApplyFact(fact, now, batch);
    if (reason != kAccepted) {
      ++*refused;
      counters_.Reject(reason, host_);
      GapInstead(fact, reason, now, batch);
    } else {
      counters_.facts.Increment();
    }
    mark->second = facts.first_sequence() + i;
  }
  dirty_ = row_due_ = true;
  EndLoss(now, batch);
  return kAccepted;
}

Reason AgentState::ApplyFact(const v1::Fact& fact, Instant now, Batch* batch) {
  switch (fact.kind_case()) {
    case v1::Fact::kRun: {
      const v1::ClosedRun& run = fact.run();
      if (!IsCheckName(run.check())) return "check_name";
      const Reason reason =
          CheckRun(run.since_ms(), run.last_ms(), run.valid_for_ms(), run.state(), now);
      if (reason != kAccepted) return reason;
      SurvivedLoss(run.check(), FromWire(run.state()), FromUnixMillis(run.since_ms()), batch);
      ApplyClosed(run, now, batch);
      return kAccepted;
    }
    case v1::Fact::kGap: {
      const v1::Gap& gap = fact.gap();
      if (!IsCheckName(gap.check())) return "check_name";
      if (gap.from_ms() <= 0 || gap.to_ms() <= gap.from_ms()) return "gap_instants";
      // A gap may stand for a run that would have held on.
      if (gap.from_ms() > ToUnixMillis(now + limits::kClockAhead) ||
          gap.to_ms() > ToUnixMillis(now + limits::kClockAhead + limits::kMaxValidFor)) {
        return "from_the_future";
      }
      WriteGap({host_, gap.check(), FromUnixMillis(gap.from_ms()), FromUnixMillis(gap.to_ms()),
                OneLine(gap.reason())},
               batch);
      ++gaps_;
      return kAccepted;
    }
    case v1::Fact::kBackup: {
      const v1::BackupRun& run = fact.backup();
      if (!IsCheckName(run.job())) return "check_name";
      if (run.kind() != v1::BACKUP_KIND_BACKUP && run.kind() != v1::BACKUP_KIND_RESTORE_TEST) {
        return "backup_kind";
      }
      if (run.start_ms() <= 0 || run.end_ms() < run.start_ms()) return "backup_instants";
      if (run.end_ms() > ToUnixMillis(now + limits::kClockAhead)) return "from_the_future";
      batch->backups.push_back({host_, run.job(), run.kind() == v1::BACKUP_KIND_RESTORE_TEST,
                                FromUnixMillis(run.start_ms()), FromUnixMillis(run.end_ms()),
                                run.success(), run.bytes(), run.files()});
      return kAccepted;
    }
    case v1::Fact::kLost:
      return kAccepted;  // its number only: the agent has told the gaps, if there are any
    case v1::Fact::KIND_NOT_SET:
      break;
  }
  return "unknown_kind";
}

void AgentState::ApplyClosed(const v1::ClosedRun& closed, Instant now, Batch* batch) {
  RunWrite write{host_,
                 closed.check(),
                 FromWire(closed.state()),
                 FromUnixMillis(closed.since_ms()),
                 FromUnixMillis(closed.last_ms() + closed.valid_for_ms()),
                 false};
  const auto found = checks_by_name_.find(closed.check());
  Check* check = found == checks_by_name_.end() ? nullptr : &checks_[found->second];
  if (check != nullptr && check->run && check->run->state == write.state &&
      check->run->since == write.since) {
    // Memory may know more of it than the ledger, and learnt it before it ran out.
    WriteRun(*check, /*grow_in_place=*/true, batch);
    write.grow_in_place = check->run->to() >= now;
    check->run->last = std::max(check->run->last, FromUnixMillis(closed.last_ms()));
    check->run->open = false;
  } else if (check != nullptr && !check->run) {
    CurrentRun run;
    run.state = write.state;
    run.since = write.since;
    run.last = FromUnixMillis(closed.last_ms());
    run.valid_for = Millis(closed.valid_for_ms());
    run.open = false;
    check->run = std::move(run);
  }
  batch->runs.push_back(std::move(write));
}

void AgentState::GapInstead(const v1::Fact& fact, Reason reason, Instant now, Batch* batch) {
  int64_t from = 0, to = 0;
  const std::string* check = nullptr;
  if (fact.has_run()) {
    check = &fact.run().check();
    from = fact.run().since_ms();
    to = fact.run().last_ms();
  } else if (fact.has_gap()) {
    check = &fact.gap().check();
    from = fact.gap().from_ms();
    to = fact.gap().to_ms();
  }
  to = std::min(to, ToUnixMillis(now));
  if (check == nullptr || !IsCheckName(*check) || from <= 0 || to <= from) return;
  WriteGap(
      {host_, *check, FromUnixMillis(from), FromUnixMillis(to), std::string("refused: ") + reason},
      batch);
  ++gaps_;
}

}  // namespace oppetid::collector
