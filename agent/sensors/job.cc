// job: what does a backup job say of itself? Its runs, checks of its repository, restore tests and
// copies elsewhere are reported by the job (`oppetid-agent report-backup`); here they are judged.
//
// A start without an end within `grace` counts as failed, though it is not yet a fact: an end that
// comes later is believed. A job that was never heard of has never backed up.
#include <algorithm>

#include "agent/reports.h"
#include "agent/sensors/backup_job.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/report_users.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kMaxEach{400LL * 86'400'000};

SeenRun ToSeen(const ReportedRun& run) {
  SeenRun seen;
  seen.start = run.start;
  seen.end = run.end;
  seen.success = run.success;
  seen.end_known = run.start_known;
  seen.size = run.bytes;
  seen.files = run.files;
  if (run.exit_code && *run.exit_code != 0) {
    seen.text = "exit code " + std::to_string(*run.exit_code);
  }
  return seen;
}

class JobSensor : public Sensor {
 public:
  JobSensor(BackupSettings settings, Millis grace, World& world)
      : settings_(std::move(settings)), grace_(grace), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    if (world_.reports == nullptr) {
      co_return BackupNotSeen(settings_, "nothing takes reports here");
    }
    const JobHistory& history = world_.reports->History(settings_.job);
    const Instant now = world_.clock.Now();
    const auto of = [&](RunKind kind) -> const RunHistory& {
      return history[static_cast<size_t>(kind)];
    };
    BackupFacts facts;
    const RunHistory& backups = of(RunKind::kBackup);
    facts.runs = Runs(backups);
    if (const auto hung = Hung(backups, now)) {
      facts.runs.push_back(*hung);
    } else {
      facts.running_since = backups.open;
    }
    facts.restore_tests = Runs(of(RunKind::kRestoreTest));
    facts.restore_test = ToProof(of(RunKind::kRestoreTest), now);
    facts.metadata_check = ToProof(of(RunKind::kMetadataCheck), now);
    facts.data_check = ToProof(of(RunKind::kDataCheck), now);
    facts.offsite = ToProof(of(RunKind::kOffsite), now);
    // The analyzer takes the end of a coroutine for two.
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move)
    co_return JudgeBackup(settings_, std::move(facts), now);
  }

 private:
  static std::vector<SeenRun> Runs(const RunHistory& history) {
    std::vector<SeenRun> runs;
    // It may be older than the runs that are kept.
    if (history.last_success &&
        (history.runs.empty() || history.last_success->start < history.runs.front().start)) {
      runs.push_back(ToSeen(*history.last_success));
    }
    for (const ReportedRun& run : history.runs) runs.push_back(ToSeen(run));
    return runs;
  }

  // The run that has started and should have ended by now.
  std::optional<SeenRun> Hung(const RunHistory& history, Instant now) const {
    if (!history.open || now - *history.open <= grace_) return std::nullopt;
    SeenRun run;
    run.start = *history.open;
    run.end = now;
    run.success = false;
    run.ended = false;
    run.text = "begun " + RoughDuration(now - *history.open) + " ago, no end";
    return run;
  }

  Proof ToProof(const RunHistory& history, Instant now) const {
    Proof proof;
    if (!history.runs.empty()) proof.newest = ToSeen(history.runs.back());
    if (const auto hung = Hung(history, now)) proof.newest = hung;
    for (const SeenRun& run : Runs(history)) {
      // A clock that was ahead must not make it young for as long.
      if (!run.success || run.end > now + kRunAhead) continue;
      proof.last_success = std::max(proof.last_success.value_or(run.start), run.start);
    }
    return proof;
  }

  BackupSettings settings_;
  Millis grace_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeJobSensor(YamlMap& config, World& world) {
  BackupSettings settings = ReadBackupSettings(config, config.String("tool", "report"));
  if (!IsCheckName(settings.tool))
    config.Fault("tool", "`tool`: a name without spaces, as pg_dump");
  const auto each = [&](std::string_view key) {
    return config.Duration(key, Millis(60'000), kMaxEach);
  };
  settings.max_check_age = each("check_every");
  settings.max_data_check_age = each("data_check_every");
  settings.max_restore_test_age = each("restore_test_every");
  settings.max_offsite_age = each("offsite_every");
  if (!settings.max_age && !settings.max_check_age && !settings.max_data_check_age &&
      !settings.max_restore_test_age && !settings.max_offsite_age) {
    config.Fault("max_age",
                 "give at least one of `max_age` (of the backup itself), `check_every`, "
                 "`data_check_every`, `restore_test_every`, `offsite_every`");
  }
  const Millis grace = config.Duration("grace", Millis(1'000), kMaxEach, std::chrono::hours(6));
  const std::set<uid_t> users = ReadReportUsers(config);
  if (world.reports != nullptr) {
    world.reports->AddJob(settings.job, config.String("name", ""), users);
  }
  return std::make_unique<JobSensor>(std::move(settings), grace, world);
}

}  // namespace oppetid::agent
