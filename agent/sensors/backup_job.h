// What is known of one backup job, whichever tool told it, and the verdict over it.
//
// All backup sensors fill BackupFacts and let JudgeBackup word the answer, so that "old", "never",
// "shrunk", "locked" and "failed" mean the same everywhere. What could not be looked at is left
// out of the facts and said in `not_seen`: it is unknown, neither old nor fine.
// Pure but for reading the configuration; used from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// Runs given as facts with each answer: a month of nights. Older ones were given before.
inline constexpr size_t kMaxBackupRuns = 32;
// Clocks of two machines differ by less; a run later than this is dated wrongly, and must not
// hide that the others are old.
inline constexpr Millis kRunAhead{600'000};
// The newest run is compared with the median of at most so many before it.
inline constexpr size_t kComparedRuns = 5;

struct BackupSettings {
  std::string job;
  std::string source_host;  // a label only
  std::string tool;
  // Of the newest successful run's start. Absent: backups are not this check's matter.
  std::optional<Millis> max_age;
  std::optional<Millis> warning_age;
  uint64_t min_size = 1;
  int64_t shrunk = 0;  // millionths of a percent of the runs before
  Millis lock_warning{};
  Millis lock_critical{};
  bool offsite = false;  // this is the copy elsewhere, not the job itself
  // How old the newest success of each may be; absent: not demanded, told if known.
  std::optional<Millis> max_check_age, max_data_check_age, max_restore_test_age, max_offsite_age;
};
// `job` (the check's own name unless given) and `source_host` (this machine unless given).
void ReadBackupNames(YamlMap& config, std::string_view tool, BackupSettings& settings);
// These and `max_age` (needed), `warning_age`, `min_size`, `shrunk`.
BackupSettings ReadBackupSettings(YamlMap& config, std::string_view tool);
// `lock_warning` and `lock_critical`.
void ReadLockLevels(YamlMap& config, BackupSettings& settings);

struct SeenRun {
  Instant start;
  Instant end;  // the start where nobody knows
  bool success = true;
  std::optional<uint64_t> size;
  std::optional<uint64_t> files;
  bool end_known = false;
  bool ended = true;  // or else it is judged, but not a fact yet
  std::string text;   // what a failed run said
};

// A check of the repository, a restore test or a copy elsewhere: its newest run, and success.
struct Proof {
  std::optional<SeenRun> newest;
  std::optional<Instant> last_success;  // its start
};

struct BackupFacts {
  std::vector<SeenRun> runs;  // in any order
  std::optional<Instant> running_since;
  std::optional<uint64_t> snapshots;
  std::optional<Instant> oldest_snapshot;
  std::optional<Instant> oldest_lock;
  Proof metadata_check, data_check, restore_test, offsite;
  std::vector<SeenRun> restore_tests;  // that have ended, given as facts
  std::vector<std::string> not_seen;   // what could not be looked at, and why
  std::vector<std::string> warnings;
  std::vector<std::string> faults;  // critical findings of the tool's own
};

Answer JudgeBackup(const BackupSettings& settings, BackupFacts facts, Instant now);

// The answer of a sensor that could not look at all.
Answer BackupNotSeen(const BackupSettings& settings, std::string_view why);

Labels BackupLabels(const BackupSettings& settings);

// Cut off to what people say: "9d", "26h", "5m", "12s".
std::string RoughDuration(Millis duration);
// "3.0 MB", cut off.
std::string RoughBytes(uint64_t bytes);

}  // namespace oppetid::agent
