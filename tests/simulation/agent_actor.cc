#include "tests/simulation/agent_actor.h"

#include <algorithm>

#include "tests/simulation/world.h"

namespace oppetid::simulation {
namespace {

constexpr int64_t kLongestSleep = 30'000;  // as the agent's composition root has it
constexpr int64_t kClockStep = 1'000;
constexpr size_t kBackupCheck = 3;
constexpr size_t kRunsTold = 3;

agent::CheckSpec Spec(const std::string& name, int64_t every, int64_t deadline, int confirm) {
  return {name,          "tcp",
          Millis(every), Millis(deadline),
          confirm,       Millis(3 * every + confirm * (deadline + 1'000))};
}

}  // namespace

AgentActor::AgentActor(World& world, size_t index)
    : disk(fuse, world.scheduler),
      world_(world),
      index_(index),
      dice_(world.plan.seed * 31 + index) {
  options_.version = "9.9";
  options_.machine = "srv" + std::to_string(index);
  options_.collectors = {"a:1"};
  options_.interval = Millis(dice_.OneIn(2) ? 15'000 : 30'000);
  options_.checks = {Spec("portal", 20'000, 5'000, 2), Spec("disk", 60'000, 5'000, 0),
                     Spec("dns", 30'000, 5'000, 1), Spec("backup", 120'000, 5'000, 0)};
  if (world.plan.small_spool) {
    // A dozen runs or two beside the room set aside, while the outage brings a hundred. Where other
    // faults take records or acks too it holds most of them: nobody can tell then what took which.
    const Plan& plan = world.plan;
    const bool alone = !plan.damage && !plan.disk && !plan.clocks && !plan.ledger_disk;
    options_.spool.segment_bytes = 1'000;
    options_.spool.limit_bytes = alone ? 3'000 : 6'000;
  }
  if (world.plan.short_retain) options_.spool.retain = Millis(300'000);
  for (const agent::CheckSpec& check : options_.checks) {
    log.AddCheck(check.name, check.confirm, check.valid_for.count());
  }
  targets_.resize(options_.checks.size());
  disk.set_on_remove([this](const std::string& file) { world_.AuditRemoval(*this, file); });
  disk.set_on_record([this](const std::string& record, const DiskFacts& gone) {
    world_.AuditRecord(*this, record, gone);
  });
}

int64_t AgentActor::wall() const { return kBeginMs + world_.scheduler.now() + offset_; }
Instant AgentActor::Wall() const { return FromUnixMillis(wall()); }
Steady AgentActor::Now() const {
  return Steady(std::chrono::hours(1)) + Millis(world_.scheduler.now());
}

void AgentActor::Start() {
  if (alive()) return;
  ++life_;
  ++call_;
  world_.Trace(name() + " starts");
  acked_ = disk.Acked();
  absl::Status status;
  try {
    auto core = agent::Core::Start(
        options_, disk, *this, [this] { return dice_.Bits(); }, Wall(), Now());
    status = core.status();
    if (core.ok()) core_ = *std::move(core);
  } catch (const Crashed&) {
    Die(dice_.OneIn(2), true);
    return;
  }
  if (!status.ok()) {
    // systemd tries again. Only a disk that cannot be read is a reason.
    if (disk.last_failure() != world_.scheduler.now()) {
      world_.Fail(name() + " does not start: " + std::string(status.message()));
    }
    world_.scheduler.In(5'000, [this, life = life_] {
      if (life == life_) Start();
    });
    return;
  }
  Rearm();
}

void AgentActor::Die(bool power, bool in_call) {
  world_.Trace(name() + (power ? " loses power" : " is killed"));
  ++world_.stats.kills;
  const bool was_alive = alive();
  core_.reset();
  ++life_;
  fuse.Disarm();
  if (power) disk.Crash(static_cast<size_t>(dice_.Below(120)));
  if (was_alive || in_call) world_.AuditKill(*this, in_call ? End::kKilledInCall : End::kKilled);
  log.Gone();
  if (stream_) {
    stream_->agent_listens = false;
    world_.TellCollector(stream_, power ? dice_.Between(1, 20'000) : dice_.Between(1, 50));
    stream_.reset();
  }
  world_.scheduler.In(dice_.OneIn(4) ? dice_.Between(1'000, 600'000) : dice_.Between(500, 10'000),
                      [this, life = life_] {
                        if (life == life_) Start();
                      });
}

void AgentActor::Stop() {
  if (!alive()) return;
  ++call_;
  core_->Stop(Wall());
  core_.reset();
  ++life_;
  world_.AuditKill(*this, End::kStopped);
  log.Gone();
  if (stream_) world_.TellCollector(stream_, 5);
  stream_.reset();
}

void AgentActor::SetClock(int64_t by) {
  world_.Trace(name() + " has its clock set by " + std::to_string(by));
  offset_ += by;
  clock_touched_ = true;
  if (!alive()) return;
  if (by > kClockStep || by < -kClockStep) {
    ++steps_;
    log.Step(call_ + 1);
  }
  Wake();
}

void AgentActor::Call(const std::function<void(agent::Core&)>& f) {
  if (!alive()) return;
  ++call_;
  try {
    f(*core_);
  } catch (const Crashed&) {
    Die(dice_.OneIn(2), true);
    return;
  }
  if (!debts.empty()) world_.SettleDebts(*this);
  Rearm();
}

bool AgentActor::Acked(uint64_t epoch, uint64_t sequence) const {
  const auto found = acked_.find(epoch);
  return found != acked_.end() && sequence <= found->second;
}

void AgentActor::Rearm() {
  if (!alive()) return;
  const auto wait = std::chrono::ceil<Millis>(
      std::clamp(core_->Next(), Now(), Now() + Millis(kLongestSleep)) - Now());
  world_.scheduler.In(wait.count(), [this, armed = ++armed_, life = life_] {
    if (armed == armed_ && life == life_) Wake();
  });
}

void AgentActor::Wake() {
  if (!alive()) return;
  log.Expire(wall(), call_ + 1);
  std::vector<size_t> due;
  Call([&](agent::Core& core) { due = core.Tick(Wall(), Now()); });
  for (const size_t check : due) Ask(check);
}

State AgentActor::StateNow(size_t check) {
  Target& target = targets_[check];
  while (world_.scheduler.now() >= target.next_change) {
    const int64_t roll = dice_.Below(20);
    target.state = roll < 11   ? State::kOk
                   : roll < 16 ? State::kCritical
                   : roll < 18 ? State::kWarning
                               : State::kUnknown;
    target.next_change +=
        dice_.OneIn(3) ? dice_.Between(1'000, 30'000) : dice_.Between(30'000, 700'000);
  }
  return target.state;
}

std::vector<agent::BackupRun> AgentActor::BackupRuns() {
  while (wall() >= job_.next_start + 60'000) {
    agent::BackupRun run;
    run.job = "nightly";
    run.restore_test = dice_.OneIn(4);
    run.start = FromUnixMillis(std::max(job_.next_start, wall() - 120'000) - offset_);
    run.end = run.start + Millis(dice_.Between(0, 50'000));
    run.success = !dice_.OneIn(5);
    run.bytes = dice_.Bits() >> 20;
    job_.runs.push_back(run);
    job_.next_start = wall() + dice_.Between(100'000, 500'000);
  }
  if (job_.runs.size() > kRunsTold) job_.runs.erase(job_.runs.begin());
  return job_.runs;
}

void AgentActor::Ask(size_t check) {
  if (!alive()) return;
  if (world_.quiet) return;
  agent::Attempt attempt;
  attempt.check = check;
  attempt.generation = core_->clock_generation();
  attempt.started = Wall();
  attempt.answer.state = StateNow(check);
  attempt.answer.text = "as seen";
  if (check == kBackupCheck) attempt.answer.backup_runs = BackupRuns();
  const int64_t takes = dice_.OneIn(40) ? 5'000 : dice_.Between(1, 300);
  attempt.duration = Millis(takes);
  world_.scheduler.In(takes, [this, life = life_, steps = steps_, attempt]() mutable {
    if (life == life_ && alive()) Answered(std::move(attempt), steps);
  });
}

void AgentActor::Answered(agent::Attempt attempt, uint64_t steps) {
  const std::string& check = options_.checks[attempt.check].name;
  if (steps == steps_) {
    log.Attempt(check, attempt.answer.state, ToUnixMillis(attempt.started), world_.scheduler.now(),
                call_ + 1);
    for (const agent::BackupRun& run : attempt.answer.backup_runs) {
      const auto key = std::tuple(run.job, run.restore_test ? 2 : 1, ToUnixMillis(run.start));
      log.backups.emplace(key, TruthBackup{ToUnixMillis(run.end), run.success, call_ + 1});
    }
  }
  Call([&](agent::Core& core) { core.OnAttempt(std::move(attempt), Wall(), Now()); });
}

void AgentActor::OnFrame(const std::shared_ptr<Stream>& stream, const v1::CollectorFrame& frame) {
  if (stream != stream_) return;
  if (frame.has_welcome() && !stream->welcomed) {
    stream->welcomed = true;
    acked_.clear();
    for (const v1::Watermark& mark : frame.welcome().watermarks()) {
      acked_[mark.epoch()] = mark.last_sequence();
    }
  } else if (frame.has_ack()) {
    uint64_t& acked = acked_[frame.ack().epoch()];
    acked = std::max(acked, frame.ack().last_sequence());
  }
  Call([&](agent::Core& core) { core.uplink().OnFrame(frame, Wall(), Now()); });
}

void AgentActor::OnClosed(const std::shared_ptr<Stream>& stream, const std::string& why) {
  if (stream != stream_) return;
  stream_->agent_listens = false;
  stream_.reset();
  world_.Trace(name() + " loses its stream: " + why);
  Call([&](agent::Core& core) { core.uplink().OnClosed(why, Now()); });
}

void AgentActor::Open(const std::string&) {
  fuse.Pass([&] { return stream_ = world_.Open(index_, life_); });
}

void AgentActor::Send(const v1::AgentFrame& frame) {
  fuse.Pass([&] {
    world_.Up(stream_, frame);
    return 0;
  });
  // A transport takes what is sent into its buffers, whatever becomes of it.
  world_.scheduler.In(1, [this, life = life_, stream = stream_] {
    if (life != life_ || stream != stream_) return;
    Call([&](agent::Core& core) { core.uplink().OnSent(Wall(), Now()); });
  });
}

void AgentActor::Close() {
  fuse.Pass([&] {
    world_.TellCollector(stream_, dice_.Between(1, 30));
    world_.TellAgent(stream_, 1, "closed");
    return 0;
  });
}

bool AgentActor::idle() const {
  return alive() && std::as_const(*core_).uplink().connected() &&
         core_->spool().stats().unacked_facts == 0 && core_->unspooled() == 0;
}

}  // namespace oppetid::simulation
