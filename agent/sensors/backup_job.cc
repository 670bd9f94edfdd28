#include "agent/sensors/backup_job.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/sensors/host_levels.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kMaxAge{400LL * 86'400'000};
constexpr int64_t kMaxSize = 1'000'000'000'000'000'000;  // an exabyte
constexpr int64_t kHalf = 50'000'000;                    // of millionths of a percent
// A run that holds less than a tenth of what it used to has lost its source.
constexpr uint64_t kNothing = 10;

std::string MachineName() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return OneLine(name, 100);
}

double UnixSeconds(Instant at) { return static_cast<double>(ToUnixMillis(at)) / 1000; }

std::string Ago(Instant at, Instant now) {
  return RoughDuration(std::max(now - at, Millis(0))) + " ago";
}

// nullopt when too few runs are known for a comparison.
std::optional<uint64_t> MedianBefore(const std::vector<SeenRun>& runs, const SeenRun& newest) {
  std::vector<uint64_t> sizes;
  for (auto run = runs.rbegin(); run != runs.rend() && sizes.size() < kComparedRuns; ++run) {
    if (run->success && run->size && run->start < newest.start) sizes.push_back(*run->size);
  }
  if (sizes.empty()) return std::nullopt;
  std::sort(sizes.begin(), sizes.end());
  return sizes[sizes.size() / 2];
}

// Builds one answer; `runs` is by start and holds no run of the future.
class Judge {
 public:
  Judge(const BackupSettings& settings, const BackupFacts& facts, Instant now)
      : settings_(settings), facts_(facts), now_(now) {
    for (const SeenRun& run : facts_.runs) {
      if (run.success) success_ = &run;
      newest_ = &run;
    }
  }

  Answer Take() {
    for (const std::string& fault : facts_.faults) verdict_.Add(State::kCritical, fault);
    Runs();
    Size();
    Locks();
    ProofOf(facts_.metadata_check, "check", "metadata", settings_.max_check_age);
    ProofOf(facts_.data_check, "data check", "data", settings_.max_data_check_age);
    ProofOf(facts_.restore_test, "restore test", "", settings_.max_restore_test_age);
    Offsite();
    for (const std::string& warning : facts_.warnings) verdict_.Add(State::kWarning, warning);
    for (const std::string& what : facts_.not_seen) verdict_.Add(State::kUnknown, what);
    Snapshots();
    answer_.state = verdict_.state();
    answer_.text = verdict_.Text();
    return std::move(answer_);
  }

 private:
  void Add(std::string family, double value) {
    answer_.samples.push_back({std::move(family), BackupLabels(settings_), value});
  }
  void Add(std::string family, std::string label, std::string text, double value) {
    Labels labels = BackupLabels(settings_);
    labels.emplace_back(std::move(label), std::move(text));
    answer_.samples.push_back({std::move(family), std::move(labels), value});
  }

  void Runs() {
    if (!settings_.max_age) return;
    const bool failed = newest_ != nullptr && !newest_->success;
    const char* result = facts_.running_since ? "running"
                         : newest_ == nullptr ? "never"
                         : failed             ? "failed"
                                              : "success";
    Add("backup_last_result", "result", result, 1);
    if (failed) {
      const std::string text = newest_->text.empty() ? "" : ": " + newest_->text;
      verdict_.Add(State::kCritical, "the last run failed" + text);
    }
    if (success_ == nullptr) {
      verdict_.Add(State::kCritical,
                   newest_ == nullptr ? "never backed up" : "no run has succeeded");
    } else {
      Age();
    }
    if (facts_.running_since) {
      verdict_.Summarise("running for " +
                         RoughDuration(std::max(now_ - *facts_.running_since, Millis(0))));
    }
  }

  void Age() {
    const Millis age = now_ - success_->start;
    const std::string ago = "last success began " + Ago(success_->start, now_);
    Add(settings_.offsite ? "backup_offsite_last_success_timestamp_seconds"
                          : "backup_last_success_timestamp_seconds",
        UnixSeconds(success_->start));
    if (age > *settings_.max_age) {
      verdict_.Add(State::kCritical, ago + " (at most " + FormatDuration(*settings_.max_age) + ")");
    } else if (settings_.warning_age && age > *settings_.warning_age) {
      verdict_.Add(State::kWarning,
                   ago + " (warning at " + FormatDuration(*settings_.warning_age) + ")");
    }
    verdict_.Summarise(ago);
    if (success_->end_known) {
      const Millis took = success_->end - success_->start;
      Add("backup_last_duration_seconds", static_cast<double>(took.count()) / 1000);
      verdict_.Summarise("took " + RoughDuration(took));
    }
  }

  void Size() {
    if (!settings_.max_age || success_ == nullptr) return;
    if (success_->files) {
      Add("backup_last_files", static_cast<double>(*success_->files));
      if (*success_->files == 0) verdict_.Add(State::kCritical, "holds no files");
    }
    if (!success_->size) return;
    const uint64_t size = *success_->size;
    Add("backup_last_size_bytes", static_cast<double>(size));
    verdict_.Summarise(RoughBytes(size));
    const auto before = MedianBefore(facts_.runs, *success_);
    if (size < settings_.min_size) {
      verdict_.Add(State::kCritical, "holds " + RoughBytes(size) + ", at least " +
                                         RoughBytes(settings_.min_size) + " expected");
    } else if (before && Share(size, *before) < settings_.shrunk) {
      const bool nothing = size < *before / kNothing;
      verdict_.Add(nothing ? State::kCritical : State::kWarning,
                   "shrunk to " + RoughBytes(size) + " from " + RoughBytes(*before));
    }
  }

  void Locks() {
    if (!facts_.oldest_lock) return;
    const Millis age = std::max(now_ - *facts_.oldest_lock, Millis(0));
    Add("backup_repo_lock_age_seconds", static_cast<double>(age.count()) / 1000);
    const Levels levels{settings_.lock_warning.count(), settings_.lock_critical.count()};
    verdict_.Judge(levels, age.count(),
                   "a lock is " + RoughDuration(age) + " old: checks and pruning stand still");
  }

  void ProofOf(const Proof& proof, const std::string& name, const std::string& depth,
               const std::optional<Millis>& max_age) {
    const std::string family = depth.empty() ? "backup_restore_test" : "backup_repo_check";
    if (proof.newest) {
      const double success = proof.newest->success ? 1 : 0;
      const double at = UnixSeconds(proof.newest->end);
      if (depth.empty()) {
        Add(family + "_success", success);
        Add(family + "_timestamp_seconds", at);
      } else {
        Add(family + "_success", "depth", depth, success);
        Add(family + "_timestamp_seconds", "depth", depth, at);
      }
    }
    ProofAge(proof, name, max_age);
  }

  void ProofAge(const Proof& proof, const std::string& name, const std::optional<Millis>& max_age) {
    if (proof.newest && !proof.newest->success) {
      const std::string text = proof.newest->text.empty() ? "" : ": " + proof.newest->text;
      verdict_.Add(State::kCritical, name + " failed " + Ago(proof.newest->end, now_) + text);
    } else if (max_age && !proof.last_success) {
      verdict_.Add(State::kWarning, "no " + name + " yet");
    } else if (max_age && now_ - *proof.last_success > *max_age) {
      verdict_.Add(State::kWarning, "last " + name + " " + Ago(*proof.last_success, now_) +
                                        " (at most " + FormatDuration(*max_age) + ")");
    } else if (proof.last_success) {
      verdict_.Summarise(name + " " + Ago(*proof.last_success, now_));
    }
  }

  void Offsite() {
    if (facts_.offsite.last_success) {
      Add("backup_offsite_last_success_timestamp_seconds",
          UnixSeconds(*facts_.offsite.last_success));
    }
    ProofAge(facts_.offsite, "offsite copy", settings_.max_offsite_age);
  }

  void Snapshots() {
    if (facts_.snapshots) {
      Add("backup_snapshots", static_cast<double>(*facts_.snapshots));
      verdict_.Summarise(std::to_string(*facts_.snapshots) + " kept");
    }
    if (facts_.oldest_snapshot) {
      Add("backup_oldest_snapshot_timestamp_seconds", UnixSeconds(*facts_.oldest_snapshot));
    }
  }

  const BackupSettings& settings_;
  const BackupFacts& facts_;
  Instant now_;
  const SeenRun* newest_ = nullptr;
  const SeenRun* success_ = nullptr;
  Verdict verdict_;
  Answer answer_;
};

void GiveRuns(const std::vector<SeenRun>& runs, const BackupSettings& settings, bool restore_test,
              std::vector<BackupRun>& into) {
  const size_t first = runs.size() - std::min(runs.size(), kMaxBackupRuns);
  for (size_t i = first; i < runs.size(); ++i) {
    if (!runs[i].ended) continue;
    BackupRun run;
    run.job = settings.job;
    run.restore_test = restore_test;
    run.start = runs[i].start;
    run.end = runs[i].end;
    run.success = runs[i].success;
    run.bytes = runs[i].size.value_or(0);
    run.files = runs[i].files.value_or(0);
    into.push_back(std::move(run));
  }
}

// Leaves the runs that can be true, by start.
size_t TakeOutFuture(std::vector<SeenRun>& runs, Instant now) {
  const size_t future =
      std::erase_if(runs, [&](const SeenRun& run) { return run.end > now + kRunAhead; });
  std::stable_sort(runs.begin(), runs.end(),
                   [](const SeenRun& a, const SeenRun& b) { return a.start < b.start; });
  return future;
}

}  // namespace

void ReadBackupNames(YamlMap& config, std::string_view tool, BackupSettings& settings) {
  settings.tool = tool;
  settings.job = config.String("job", config.String("name", ""));
  if (!IsCheckName(settings.job)) {
    config.Fault("job",
                 "`job`: 1 to 100 of letters, digits and _ . : -, the first a letter or "
                 "digit");
  }
  settings.source_host = config.String("source_host", MachineName());
  if (settings.source_host.empty() || OneLine(settings.source_host, 100) != settings.source_host) {
    config.Fault("source_host", "`source_host`: a name of at most 100 bytes");
  }
}

BackupSettings ReadBackupSettings(YamlMap& config, std::string_view tool) {
  BackupSettings settings;
  ReadBackupNames(config, tool, settings);
  settings.max_age = config.Duration("max_age", Millis(60'000), kMaxAge);
  settings.warning_age = config.Duration("warning_age", Millis(60'000), kMaxAge);
  if (settings.warning_age && settings.max_age && *settings.warning_age >= *settings.max_age) {
    config.Fault("warning_age", "`warning_age` must be below `max_age`");
  }
  settings.min_size = static_cast<uint64_t>(config.Bytes("min_size", 1, kMaxSize, 1));
  settings.shrunk = config.PercentOf("shrunk").value_or(Percent{kHalf}).millionths;
  return settings;
}

void ReadLockLevels(YamlMap& config, BackupSettings& settings) {
  // restic renews a living lock every 5 minutes and calls one of 30 stale; a borg may run for
  // hours.
  settings.lock_warning =
      config.Duration("lock_warning", Millis(60'000), kMaxAge, std::chrono::hours(6));
  settings.lock_critical =
      config.Duration("lock_critical", Millis(60'000), kMaxAge, std::chrono::hours(24));
  if (settings.lock_warning >= settings.lock_critical) {
    config.Fault("lock_critical", "`lock_critical` must be above `lock_warning`");
  }
}

Answer JudgeBackup(const BackupSettings& settings, BackupFacts facts, Instant now) {
  if (const size_t future = TakeOutFuture(facts.runs, now); future > 0) {
    facts.warnings.push_back(std::to_string(future) + " of the runs lie in the future");
  }
  TakeOutFuture(facts.restore_tests, now);
  Answer answer = Judge(settings, facts, now).Take();
  if (!settings.offsite && settings.max_age) {
    GiveRuns(facts.runs, settings, false, answer.backup_runs);
  }
  GiveRuns(facts.restore_tests, settings, true, answer.backup_runs);
  return answer;
}

Answer BackupNotSeen(const BackupSettings& settings, std::string_view why) {
  Answer answer;
  answer.text = OneLine(why);
  Labels labels = BackupLabels(settings);
  labels.emplace_back("result", "unknown");
  answer.samples.push_back({"backup_last_result", std::move(labels), 1});
  return answer;
}

Labels BackupLabels(const BackupSettings& settings) {
  return {{"job", settings.job}, {"source_host", settings.source_host}, {"tool", settings.tool}};
}

std::string RoughDuration(Millis duration) {
  struct Unit {
    int64_t ms;
    const char* name;
  };
  // Two of a unit before it is used: "26h", not "1d".
  static constexpr auto kUnits =
      std::to_array<Unit>({{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}});
  for (const Unit& unit : kUnits) {
    if (duration.count() >= 2 * unit.ms) {
      return std::to_string(duration.count() / unit.ms) + unit.name;
    }
  }
  return std::to_string(duration.count() / 1000) + "s";
}

std::string RoughBytes(uint64_t bytes) {
  struct Unit {
    uint64_t bytes;
    const char* name;
  };
  static constexpr auto kUnits = std::to_array<Unit>(
      {{1'000'000'000'000, " TB"}, {1'000'000'000, " GB"}, {1'000'000, " MB"}, {1'000, " kB"}});
  for (const Unit& unit : kUnits) {
    if (bytes < unit.bytes) continue;
    return std::to_string(bytes / unit.bytes) + "." +
           std::to_string(bytes % unit.bytes * 10 / unit.bytes) + unit.name;
  }
  return std::to_string(bytes) + " B";
}

}  // namespace oppetid::agent
