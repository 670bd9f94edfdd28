#include "collector/agent_state.h"

#include <algorithm>
#include <set>

#include "collector/run_rules.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

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
  const auto current = [](const StoredOpenRun& stored) {
    CurrentRun run;
    run.state = stored.state;
    run.since = stored.since;
    run.last = stored.last;
    run.valid_for = stored.valid_for;
    run.text = stored.text;
    return run;
  };
  for (const StoredOpenRun& stored : row.runs) {
    checks_by_name_[stored.check] = checks_.size();
    checks_.push_back({stored.check, stored.valid_for, current(stored), nullptr});
  }
  for (const StoredOpenRun& stored : row.losses) {
    lost_.try_emplace(stored.check, Loss{current(stored), std::nullopt, {}});
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
  snapshot_seen_ = false;
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
  TakeClock(hello.now_ms(), now, batch);
}

void AgentState::TakeClock(int64_t theirs_ms, Instant now, Batch* batch) {
  clock_offset_ms_ = ClockOffset(theirs_ms, now);
  if (clock_offset_ms_ <= limits::kClockAhead.count()) {
    clock_ahead_since_.reset();
    return;
  }
  if (!clock_ahead_since_) clock_ahead_since_ = now;
  // Nobody knows what was while this lasts. The gap holds until the next frame should have come, so
  // that it grows in place.
  for (const Check& check : checks_) {
    WriteGap({host_, check.name, *clock_ahead_since_, now + UpFor(), "the agent's clock was ahead"},
             batch);
  }
}

void AgentState::Seen(Instant now, Steady steady) {
  last_seen_ = now;
  last_frame_ = steady;
}

std::optional<bool> AgentState::Up(Steady now, Steady started) const {
  // Nobody is called silent who has never spoken.
  if (!last_seen_) return std::nullopt;
  if (last_frame_) return now - *last_frame_ < UpFor();
  if (now - started < UpFor()) return std::nullopt;
  return false;
}

void AgentState::OnSnapshot(const v1::Snapshot& snapshot, Instant now, Batch* batch) {
  TakeClock(snapshot.now_ms(), now, batch);
  if (clock_ahead()) {
    counters_.Reject("clock_ahead", host_);
    return;
  }
  snapshot_seen_ = true;
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
  EndLoss(now, batch);
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

void AgentState::WriteRun(const Check& check, bool grow_in_place, Batch* batch) {
  if (!check.run) return;
  row_due_ = true;
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
    if (check.run) row.runs.push_back(check.run->Stored(check.name));
  }
  for (const auto& [check, loss] : lost_) {
    if (!loss.until) row.losses.push_back(loss.known.Stored(check));
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
  if (!clock_ahead()) {
    view.run_state = run.state;
    view.run_since = run.since;
  }
  if (now < run.to() && !clock_ahead()) {
    view.state = run.state;
    view.since = run.since;
    view.text = run.text;
  } else {
    // Nobody looks any more: unknown since it ran out, whatever was seen last.
    view.since = std::min(run.to(), now);
    view.text = clock_ahead() ? "the agent's clock is ahead; nothing of it is believed"
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
