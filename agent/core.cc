#include "agent/core.h"

#include <algorithm>

#include "agent/segment.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kRecheckAfter{1'000};
// A step of the wall clock larger than this breaks runs; smaller ones are slewing.
constexpr Millis kClockStep{1'000};
// Closed runs held in memory while the disk refuses them: a day of a restless host.
constexpr size_t kMaxUnspooled = 10'000;
// Facts in one write: far less than a segment, whose room was set aside.
constexpr size_t kAppendAtOnce = 1'000;
// A disk that refused is asked again after this long, not at every attempt of every check.
constexpr Millis kSpoolAgainAfter{1'000};
const char kOpenRunsFile[] = "open-runs";

v1::Fact ToFact(const ClosedRun& closed) {
  v1::Fact fact;
  v1::ClosedRun* run = fact.mutable_run();
  run->set_check(closed.check);
  run->set_state(static_cast<v1::State>(static_cast<int>(closed.run.state) + 1));
  run->set_since_ms(ToUnixMillis(closed.run.since));
  run->set_last_ms(ToUnixMillis(closed.run.last));
  run->set_valid_for_ms(closed.run.valid_for.count());
  run->set_reason(static_cast<v1::EndReason>(closed.reason));
  return fact;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Core>> Core::Start(CoreOptions options, Disk& disk, Link& link,
                                                  Random random, Instant wall, Steady now) {
  auto spool = Spool::Open(disk, options.spool, random);
  if (!spool.ok()) return spool.status();
  std::unique_ptr<Core> core(
      new Core(std::move(options), disk, link, std::move(random), *std::move(spool), wall, now));
  if (auto status = core->CloseLeftOver(wall, now); !status.ok()) return status;
  return core;
}

Core::Core(CoreOptions options, Disk& disk, Link& link, Random random, std::unique_ptr<Spool> spool,
           Instant wall, Steady now)
    : options_(std::move(options)),
      disk_(disk),
      spool_(std::move(spool)),
      schedule_(options_.machine),
      newest_(options_.checks.size()),
      uplink_(options_.collectors, options_.interval, link, *spool_, *this, std::move(random)) {
  for (const CheckSpec& check : options_.checks) {
    schedule_.Add(check.name, check.every, wall, now);
    checks_.emplace_back(check.confirm);
  }
}

absl::Status Core::CloseLeftOver(Instant wall, Steady now) {
  const auto names = disk_.List();
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), kOpenRunsFile) == names->end()) {
    return absl::OkStatus();
  }
  const auto bytes = disk_.Read(kOpenRunsFile);
  if (!bytes.ok()) {
    LogError("the record of open runs cannot be read",
             {{"error", std::string(bytes.status().message())}});
    Repair(wall, /*hole_before=*/true);
    return absl::OkStatus();
  }
  const SegmentContent content = ReadSegment(*bytes);
  for (const Record& record : content.records) {
    v1::Fact fact;
    const auto size = static_cast<int>(record.payload.size());
    if (!fact.ParseFromArray(record.payload.data(), size) || !fact.has_run()) continue;
    const bool configured =
        std::any_of(options_.checks.begin(), options_.checks.end(),
                    [&](const auto& c) { return c.name == fact.run().check(); });
    fact.mutable_run()->set_reason(configured ? v1::END_REASON_RESTART : v1::END_REASON_REMOVED);
    unspooled_.push_back(std::move(fact));
  }
  if (content.damaged) {
    LogWarning("the record of open runs is damaged; what can be read is kept");
    Repair(wall, /*hole_before=*/true);
  }
  // A disk that is full is no reason not to measure. The record stays until these are in the spool.
  SpoolClosed(wall, now);
  return absl::OkStatus();
}

void Core::Repair(Instant wall, bool hole_before) {
  std::vector<v1::Fact> newest(unspooled_.begin(), unspooled_.end());
  for (const auto& [check, run] : runs_.open()) {
    newest.push_back(ToFact({check, run, EndReason::kRestart}));
  }
  std::vector<std::string> names;
  for (const CheckSpec& check : options_.checks) names.push_back(check.name);
  spool_->Repair(newest, hole_before, names, wall);
}

std::vector<size_t> Core::Tick(Instant wall, Steady now) {
  DetectClockStep(wall, now);
  std::vector<size_t> due = schedule_.TakeDue(now);
  for (size_t i = 0; i < checks_.size(); ++i) {
    if (!checks_[i].ask_at || *checks_[i].ask_at > now) continue;
    checks_[i].ask_at.reset();
    due.push_back(i);
  }
  std::sort(due.begin(), due.end());
  due.erase(std::unique(due.begin(), due.end()), due.end());
  // A check still under way, or waiting for its re-check, misses its turn.
  std::erase_if(due, [&](size_t i) { return checks_[i].under_way || checks_[i].ask_at; });
  for (const size_t i : due) checks_[i].under_way = true;
  runs_.Expire(wall);
  Persist(wall, now);
  uplink_.Tick(wall, now);
  return due;
}

void Core::OnAttempt(Attempt attempt, Instant wall, Steady now) {
  DetectClockStep(wall, now);
  CheckState& check = checks_[attempt.check];
  const CheckSpec& spec = options_.checks[attempt.check];
  check.under_way = false;
  if (attempt.generation != clock_generation_) {
    check.ask_at = now;  // its start was read from a clock that has been set since
    return;
  }
  for (const BackupRun& run : attempt.answer.backup_runs) KeepBackup(run);
  const auto observation = check.confirmation.Take(attempt.answer.state, attempt.started);
  if (!observation) {
    check.ask_at = now + kRecheckAfter;
    Persist(wall, now);
    return;
  }
  const auto before = runs_.open().find(spec.name);
  const bool changed = before == runs_.open().end() || before->second.state != observation->state;
  runs_.Observe(spec.name, *observation, spec.valid_for);
  check.text = OneLine(attempt.answer.text, limits::kTextBytes);
  check.duration = attempt.duration;
  newest_.Set(attempt.check, std::move(attempt.answer), attempt.started);
  if (changed) {
    uplink_.SnapshotSoon();
    save_open_at_ = now;
  }
  Persist(wall, now);
  uplink_.Tick(wall, now);
}

void Core::DetectClockStep(Instant wall, Steady now) {
  if (clocks_) {
    const auto moved =
        (wall - clocks_->first) - std::chrono::duration_cast<Millis>(now - clocks_->second);
    if (moved > kClockStep || moved < -kClockStep) {
      LogWarning("the clock was set; open runs end here",
                 {{"step_ms", static_cast<int64_t>(moved.count())}});
      ++clock_generation_;
      runs_.CloseAll(EndReason::kClockStep);
      for (CheckState& check : checks_) {
        check.confirmation.Reset();
        check.ask_at.reset();
      }
      uplink_.SnapshotSoon();  // the collector must know of a clock that runs ahead
      save_open_at_ = now;
    }
  }
  clocks_ = {wall, now};
}

void Core::Persist(Instant wall, Steady now) {
  SpoolClosed(wall, now);
  if (now >= save_open_at_) SaveOpenRuns(now);
}

void Core::Keep(v1::Fact fact) {
  if (unspooled_.size() >= kMaxUnspooled) {
    spool_->NoteLost(unspooled_.front());
    unspooled_.pop_front();
    ++facts_lost_;
  }
  unspooled_.push_back(std::move(fact));
}

// A sensor tells the newest runs with every answer; each becomes a fact once.
void Core::KeepBackup(const BackupRun& told) {
  v1::Fact fact;
  v1::BackupRun* run = fact.mutable_backup();
  run->set_job(told.job);
  run->set_kind(told.restore_test ? v1::BACKUP_KIND_RESTORE_TEST : v1::BACKUP_KIND_BACKUP);
  run->set_start_ms(ToUnixMillis(told.start));
  run->set_end_ms(ToUnixMillis(told.end));
  run->set_success(told.success);
  run->set_bytes(told.bytes);
  run->set_files(told.files);
  const bool waits = std::any_of(unspooled_.begin(), unspooled_.end(), [&](const v1::Fact& other) {
    return other.has_backup() && other.backup().job() == run->job() &&
           other.backup().kind() == run->kind() && other.backup().start_ms() == run->start_ms();
  });
  if (!waits && !spool_->Knows(*run)) Keep(std::move(fact));
}

void Core::SpoolClosed(Instant wall, Steady now) {
  for (const ClosedRun& closed : runs_.TakeClosed()) Keep(ToFact(closed));
  if (now < spool_again_at_) return;
  if (spool_->needs_repair()) Repair(wall, /*hole_before=*/false);
  if (unspooled_.empty() && !spool_->gaps_wait()) return;
  absl::Status status;
  do {
    const auto some = static_cast<std::ptrdiff_t>(std::min(unspooled_.size(), kAppendAtOnce));
    status = spool_->Append({unspooled_.begin(), unspooled_.begin() + some}, wall);
    if (status.ok()) unspooled_.erase(unspooled_.begin(), unspooled_.begin() + some);
  } while (status.ok() && !unspooled_.empty());
  if (!status.ok()) {
    if (!disk_failing_) {
      LogError("cannot write to the spool; facts stay in memory until it can be written again",
               {{"error", std::string(status.message())}});
    }
    disk_failing_ = true;
    spool_again_at_ = now + kSpoolAgainAfter;
    return;
  }
  if (disk_failing_) {
    LogInfo("the spool can be written again", {{"facts_lost", facts_lost_}});
    disk_failing_ = false;
  }
}

void Core::SaveOpenRuns(Steady now) {
  save_open_at_ = now + options_.interval;
  spool_->SaveAcked();
  // The record on disk may be all that is durable of runs whose end is not in the spool yet.
  if (!unspooled_.empty()) return;
  std::string bytes;
  uint64_t sequence = 1;
  for (const auto& [check, run] : runs_.open()) {
    AppendRecord(sequence++, ToFact({check, run, EndReason::kRestart}).SerializeAsString(), &bytes);
  }
  const auto status = disk_.Replace(kOpenRunsFile, bytes);
  // Told once per change: a restless host saves at every change of state.
  if (!status.ok() && !open_runs_failing_) {
    LogError("cannot save the open runs; trying again each interval",
             {{"error", std::string(status.message())}});
  } else if (status.ok() && open_runs_failing_) {
    LogInfo("the open runs can be saved again");
  }
  open_runs_failing_ = !status.ok();
}

Steady Core::Next() const {
  Steady next = std::min({schedule_.Next(), uplink_.Next(), save_open_at_});
  for (const CheckState& check : checks_) {
    if (check.ask_at && !check.under_way) next = std::min(next, *check.ask_at);
  }
  return next;
}

void Core::Stop(Instant wall) {
  spool_again_at_ = {};
  const Steady now = clocks_ ? clocks_->second : Steady{};
  SpoolClosed(wall, now);
  SaveOpenRuns(now);
  uplink_.Stop();
}

void Core::FillHello(v1::Hello* hello) {
  hello->set_version(options_.version);
  hello->set_os(options_.os);
  hello->set_boot_id(options_.boot_id);
  for (const CheckSpec& check : options_.checks) {
    v1::CheckInfo* info = hello->add_checks();
    info->set_name(check.name);
    info->set_sensor(check.sensor);
    info->set_every_ms(check.every.count());
    info->set_valid_for_ms(check.valid_for.count());
  }
  if (options_.add_to_hello) options_.add_to_hello(hello);
}

void Core::StartStream(const v1::Limits& limits) { newest_.StartStream(limits.series()); }

void Core::FillSnapshot(v1::Snapshot* snapshot) {
  for (size_t i = 0; i < checks_.size(); ++i) {
    const auto found = runs_.open().find(options_.checks[i].name);
    if (found == runs_.open().end()) continue;
    const Run& run = found->second;
    v1::OpenRun* open = snapshot->add_runs();
    open->set_check(static_cast<uint32_t>(i));
    open->set_state(static_cast<v1::State>(static_cast<int>(run.state) + 1));
    open->set_since_ms(ToUnixMillis(run.since));
    open->set_last_ms(ToUnixMillis(run.last));
    open->set_valid_for_ms(run.valid_for.count());
    open->set_text(checks_[i].text);
    open->set_duration_us(checks_[i].duration.count());
    open->set_unconfirmed_total(checks_[i].confirmation.unconfirmed_total());
  }
  if (newest_.Fill(snapshot)) uplink_.SnapshotSoon();
  if (newest_.left_out() > 0 && !left_out_told_) {
    LogWarning("series are left out: more than the collector takes, or too wide for a frame",
               {{"series", newest_.left_out()}});
  }
  left_out_told_ = newest_.left_out() > 0;
}

void Core::OnCheckNow(const std::string& check) {
  for (size_t i = 0; i < checks_.size(); ++i) {
    if (options_.checks[i].name == check) checks_[i].ask_at = Steady::min();
  }
}

}  // namespace oppetid::agent
