#include "collector/agent_state.h"

#include <algorithm>
#include <set>

#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

bool IsState(v1::State state) { return state >= v1::STATE_OK && state <= v1::STATE_UNKNOWN; }
State FromWire(v1::State state) { return static_cast<State>(static_cast<int>(state) - 1); }

// What is wrong with a run's instants, or kAccepted. 1970 is an unset clock, not a measurement.
Reason CheckRun(int64_t since_ms, int64_t last_ms, int64_t valid_for_ms, v1::State state,
                Instant now) {
  if (!IsState(state)) return "run_state";
  if (since_ms <= 0 || last_ms < since_ms) return "run_instants";
  if (valid_for_ms < 1 || valid_for_ms > limits::kMaxValidFor.count()) return "run_valid_for";
  if (last_ms > ToUnixMillis(now + limits::kClockAhead)) return "from_the_future";
  return kAccepted;
}

// The peer's clock minus ours. Any 64 bits may stand in a frame, so what is no instant from 1970 to
// 9999 counts as the nearest one.
int64_t ClockOffset(int64_t theirs_ms, Instant ours) {
  constexpr int64_t kEndMs = 253'402'300'799'999;
  return std::clamp<int64_t>(theirs_ms, 0, kEndMs) - ToUnixMillis(ours);
}

}  // namespace

AgentState::AgentState(std::string municipality, std::string host, Counters& counters)
    : municipality_(std::move(municipality)), host_(std::move(host)), counters_(counters) {}

AgentState::AgentState(const AgentRow& row, Counters& counters)
    : AgentState(row.municipality, row.host, counters) {
  version_ = row.version;
  os_ = row.os;
  interval_ = row.interval;
  last_seen_ = row.last_seen;
  watermarks_ = durable_ = row.watermarks;
  for (const StoredOpenRun& stored : row.runs) {
    CurrentRun run;
    run.state = stored.state;
    run.since = stored.since;
    run.last = stored.last;
    run.valid_for = stored.valid_for;
    run.text = stored.text;
    checks_by_name_[stored.check] = checks_.size();
    checks_.push_back({stored.check, stored.valid_for, run, nullptr});
  }
}

Reason AgentState::Validate(const v1::Hello& hello) {
  if (static_cast<size_t>(hello.checks_size()) > limits::kChecks) return "too_many_checks";
  if (static_cast<size_t>(hello.epochs_size()) > limits::kEpochs) return "too_many_epochs";
  if (hello.epochs_size() == 0) return "no_epoch";
  if (hello.interval_ms() < limits::kMinInterval.count() ||
      hello.interval_ms() > limits::kMaxInterval.count()) {
    return "interval";
  }
  std::set<std::string_view> names;
  for (const v1::CheckInfo& check : hello.checks()) {
    if (!IsCheckName(check.name())) return "check_name";
    if (!names.insert(check.name()).second) return "check_twice";
    if (check.valid_for_ms() < 1 || check.valid_for_ms() > limits::kMaxValidFor.count()) {
      return "check_valid_for";
    }
  }
  for (const v1::EpochRange& epoch : hello.epochs()) {
    if (epoch.first_sequence() == 0 || epoch.next_sequence() < epoch.first_sequence()) {
      return "epoch_range";
    }
  }
  return kAccepted;
}

void AgentState::OnHello(const v1::Hello& hello, const Peer& peer, Instant now, Batch* batch) {
  version_ = OneLine(hello.version(), 64);
  os_ = OneLine(hello.os());
  interval_ = Millis(hello.interval_ms());
  certificate_expires_ = peer.expires;
  clock_offset_ms_ = ClockOffset(hello.now_ms(), now);
  clock_ahead_ = clock_offset_ms_ > limits::kClockAhead.count();
  std::vector<Check> checks;
  std::map<std::string, size_t> by_name;
  std::vector<std::string> names;
  for (const v1::CheckInfo& info : hello.checks()) {
    Check check{info.name(), Millis(info.valid_for_ms()), std::nullopt, nullptr};
    const auto known = checks_by_name_.find(info.name());
    if (known != checks_by_name_.end()) check.run = checks_[known->second].run;
    by_name[info.name()] = checks.size();
    names.push_back(info.name());
    checks.push_back(std::move(check));
  }
  for (const Check& check : checks_) {
    if (by_name.count(check.name) == 0) WriteRun(check, /*grow_in_place=*/true, batch);
  }
  checks_ = std::move(checks);
  checks_by_name_ = std::move(by_name);
  dictionary_ = std::make_unique<Dictionary>(municipality_, host_, std::move(names));
  connected_ = true;
  dirty_ = true;
}

std::vector<v1::Watermark> AgentState::Watermarks(const v1::Hello& hello) {
  const auto known = [](const std::map<uint64_t, uint64_t>& marks, uint64_t epoch) {
    const auto found = marks.find(epoch);
    return found == marks.end() ? 0 : found->second;
  };
  std::map<uint64_t, uint64_t> kept, told;
  for (const v1::EpochRange& range : hello.epochs()) {
    const uint64_t epoch = range.epoch();
    // What nobody has any more cannot be waited for.
    const uint64_t gone = range.first_sequence() - 1;
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
  return marks;
}

void AgentState::Seen(Instant now, Steady steady) {
  last_seen_ = now;
  last_frame_ = steady;
}

std::optional<bool> AgentState::Up(Steady now, Steady started) const {
  if (last_frame_) return now - *last_frame_ < UpFor();
  if (now - started < UpFor()) return std::nullopt;
  return false;
}

void AgentState::OnSnapshot(const v1::Snapshot& snapshot, Instant now, Batch* batch) {
  clock_offset_ms_ = ClockOffset(snapshot.now_ms(), now);
  clock_ahead_ = clock_offset_ms_ > limits::kClockAhead.count();
  if (clock_ahead_) {
    counters_.Reject("clock_ahead", host_);
    return;
  }
  spool_facts_ = snapshot.spool().facts();
  spool_bytes_ = snapshot.spool().bytes();
  gap_ms_ = snapshot.spool().gap_ms();
  std::vector<bool> open(checks_.size());
  for (const v1::OpenRun& run : snapshot.runs()) {
    if (run.check() >= checks_.size()) {
      counters_.Reject("check_index", host_);
      continue;
    }
    const Reason reason =
        CheckRun(run.since_ms(), run.last_ms(), run.valid_for_ms(), run.state(), now);
    if (reason != kAccepted) {
      counters_.Reject(reason, host_, checks_[run.check()].name);
      continue;
    }
    open[run.check()] = true;
    ApplyRun(run, now, batch);
  }
  for (size_t i = 0; i < checks_.size(); ++i) {
    Check& check = checks_[i];
    if (open[i] || !check.run || !check.run->open) continue;
    WriteRun(check, /*grow_in_place=*/true, batch);
    check.run->open = false;
    dirty_ = true;
  }
  if (snapshot.reset_definitions()) {
    // The same series may come back as another check's and must not stand twice; a reset sends
    // everything anew.
    dictionary_->Reset();
    for (Check& check : checks_) check.samples = nullptr;
  }
  uint64_t dropped_labels = 0;
  for (const v1::SeriesDefinition& definition : snapshot.definitions()) {
    const Reason reason = dictionary_->Define(definition, &dropped_labels);
    if (reason != kAccepted) counters_.Reject(reason, host_, OneLine(definition.name(), 60));
  }
  if (dropped_labels > 0) {
    counters_.Reject("our_label", host_, "", static_cast<double>(dropped_labels));
  }
  for (const v1::SampleSet& set : snapshot.samples()) ApplySamples(set, now);
}

void AgentState::ApplyRun(const v1::OpenRun& wire, Instant now, Batch* batch) {
  Check& check = checks_[wire.check()];
  CurrentRun run;
  run.state = FromWire(wire.state());
  run.since = FromUnixMillis(wire.since_ms());
  run.last = FromUnixMillis(wire.last_ms());
  run.valid_for = Millis(wire.valid_for_ms());
  run.text = OneLine(wire.text(), limits::kTextBytes);
  run.duration_us = wire.duration_us();
  run.unconfirmed_total = wire.unconfirmed_total();
  const bool same = check.run && check.run->state == run.state && check.run->since == run.since;
  if (same) {
    run.last = std::max(run.last, check.run->last);
    // It had run out by our clock: what is learnt now becomes a piece of its own.
    if (check.run->to() < now && run.to() > check.run->to()) {
      WriteRun(check, /*grow_in_place=*/true, batch);
      check.run = std::move(run);
      WriteRun(check, /*grow_in_place=*/false, batch);
      dirty_ = true;
      return;
    }
  } else if (check.run) {
    // An older picture cannot replace a newer one: the stream is ordered, so this is a new run.
    WriteRun(check, /*grow_in_place=*/true, batch);
  }
  check.run = std::move(run);
  if (!same) WriteRun(check, /*grow_in_place=*/false, batch);
  dirty_ = true;
}

void AgentState::WriteRun(const Check& check, bool grow_in_place, Batch* batch) const {
  if (!check.run) return;
  batch->runs.push_back(
      {host_, check.name, check.run->state, check.run->since, check.run->to(), grow_in_place});
}

void AgentState::ApplySamples(const v1::SampleSet& set, Instant now) {
  if (set.check() >= checks_.size()) {
    counters_.Reject("check_index", host_);
    return;
  }
  Check& check = checks_[set.check()];
  if (set.at_ms() <= 0 || set.at_ms() > ToUnixMillis(now + limits::kClockAhead)) {
    // Values from the future would outlive the agent.
    counters_.Reject(set.at_ms() <= 0 ? "sample_instant" : "from_the_future", host_, check.name);
    return;
  }
  uint64_t dropped = 0;
  std::shared_ptr<const SampleBlock> block;
  const Instant valid_until = FromUnixMillis(set.at_ms()) + check.valid_for;
  const Reason reason = dictionary_->Lay(set, check.samples.get(), valid_until, &block, &dropped);
  if (reason != kAccepted) {
    counters_.Reject(reason, host_, check.name);
    return;
  }
  if (dropped > 0) {
    counters_.Reject("not_finite_or_twice", host_, check.name, static_cast<double>(dropped));
  }
  counters_.samples.Increment(static_cast<double>(block->values.size()));
  check.samples = std::move(block);
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
    const Reason reason = clock_ahead_ ? "clock_ahead" : ApplyFact(fact, now, batch);
    if (reason != kAccepted) {
      ++*refused;
      counters_.Reject(reason, host_);
      GapInstead(fact, reason, now, batch);
    } else {
      counters_.facts.Increment();
    }
    mark->second = facts.first_sequence() + i;
  }
  dirty_ = watermark_moved_ = true;
  return kAccepted;
}

Reason AgentState::ApplyFact(const v1::Fact& fact, Instant now, Batch* batch) {
  switch (fact.kind_case()) {
    case v1::Fact::kRun: {
      const v1::ClosedRun& run = fact.run();
      if (!IsCheckName(run.check())) return "check_name";
      const Reason reason =
          CheckRun(run.since_ms(), run.last_ms(), run.valid_for_ms(), run.state(), now);
      if (reason == kAccepted) ApplyClosed(run, now, batch);
      return reason;
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
      batch->gaps.push_back({host_, gap.check(), FromUnixMillis(gap.from_ms()),
                             FromUnixMillis(gap.to_ms()), OneLine(gap.reason())});
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
  batch->gaps.push_back(
      {host_, *check, FromUnixMillis(from), FromUnixMillis(to), std::string("refused: ") + reason});
  ++gaps_;
}

AgentRow AgentState::Row() const {
  AgentRow row;
  row.host = host_;
  row.municipality = municipality_;
  row.last_seen = last_seen_.value_or(Instant{});
  row.version = version_;
  row.os = os_;
  row.interval = interval_;
  row.watermarks = watermarks_;
  for (const Check& check : checks_) {
    if (!check.run) continue;
    const CurrentRun& run = *check.run;
    row.runs.push_back({check.name, run.state, run.since, run.last, run.valid_for, run.text});
  }
  return row;
}

CheckView AgentState::ViewOf(const Check& check, Instant now) const {
  CheckView view;
  view.check = check.name;
  view.samples = check.samples;
  if (!check.run) {
    view.text = "not observed yet";
    return view;
  }
  const CurrentRun& run = *check.run;
  view.last_observed = run.last;
  view.valid_until = run.to();
  view.duration_seconds = static_cast<double>(run.duration_us) / 1e6;
  view.unconfirmed_total = run.unconfirmed_total;
  if (!clock_ahead_) {
    view.run_state = run.state;
    view.run_since = run.since;
  }
  if (now < run.to() && !clock_ahead_) {
    view.state = run.state;
    view.since = run.since;
    view.text = run.text;
  } else {
    // Nobody looks any more: unknown since it ran out, whatever was seen last.
    view.since = std::min(run.to(), now);
    view.text = clock_ahead_ ? "the agent's clock is ahead; nothing of it is believed"
                             : "no observation since " + FormatInstant(run.last) + "; it was " +
                                   std::string(StateName(run.state));
  }
  return view;
}

std::shared_ptr<const AgentView> AgentState::MakeView(Instant now, Steady steady,
                                                      Steady started) const {
  auto view = std::make_shared<AgentView>();
  view->municipality = municipality_;
  view->host = host_;
  view->version = version_;
  view->os = os_;
  view->up = Up(steady, started);
  view->connected = connected_;
  view->last_seen = last_seen_;
  view->clock_offset_ms = clock_offset_ms_;
  view->spool_facts = spool_facts_;
  view->spool_bytes = spool_bytes_;
  view->gap_ms = gap_ms_;
  view->gaps = gaps_;
  view->certificate_expires = certificate_expires_;
  view->duplicate = duplicate_;
  view->checks.reserve(checks_.size());
  for (const Check& check : checks_) view->checks.push_back(ViewOf(check, now));
  return view;
}

}  // namespace oppetid::collector
