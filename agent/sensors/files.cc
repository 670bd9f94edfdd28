// files: how old, how large and how many are the files of a job that leaves plain files behind, as
// dumps and exports do? Looks at one directory on the pool; reads no file.
//
// A file counts when its name matches, it is a regular file and nobody has changed it for
// `settled`; what is being written is a run under way. Its age is that of its content (mtime), so
// that a copy that keeps times is as old as what was copied; its start is its creation, where the
// filesystem knows one before that.
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "agent/sensors/backup_job.h"
#include "agent/sensors/backup_tool.h"
#include "agent/sensors/registry.h"
#include "common/async.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxEntries = 200'000;  // of the directory, matching or not
constexpr Millis kLongestRun{72LL * 3'600'000};

struct FoundFile {
  Instant created;  // not after changed
  Instant changed;
  uint64_t size = 0;
};
struct Found {
  std::string error;
  std::vector<FoundFile> files;
};

// What the look on the pool shares with the sensor.
struct Look {
  std::string directory;
  std::string pattern;
  std::atomic<bool> under_way{false};
};

Instant At(const struct statx_timestamp& time) {
  return FromUnixMillis(time.tv_sec * 1000 + time.tv_nsec / 1'000'000);
}

Found LookAt(const Look& look) {
  Found found;
  DIR* directory = ::opendir(look.directory.c_str());
  if (directory == nullptr) {
    found.error = "cannot read " + OneLine(look.directory, 120) + ": " +
                  std::generic_category().message(errno);
    return found;
  }
  size_t entries = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (++entries > kMaxEntries) {
      found.error =
          "more than " + std::to_string(kMaxEntries) + " files in " + OneLine(look.directory, 120);
      break;
    }
    if (::fnmatch(look.pattern.c_str(), entry->d_name, FNM_PERIOD) != 0) continue;
    struct statx info {};
    constexpr unsigned kWanted = STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_BTIME;
    // A link such as `latest` names a file that is counted by itself.
    if (::statx(::dirfd(directory), entry->d_name, AT_SYMLINK_NOFOLLOW, kWanted, &info) != 0) {
      continue;  // removed in between
    }
    if (!S_ISREG(info.stx_mode)) continue;
    FoundFile file{At(info.stx_mtime), At(info.stx_mtime), info.stx_size};
    if ((info.stx_mask & STATX_BTIME) != 0) {
      const Instant created = At(info.stx_btime);
      if (created < file.changed && file.changed - created < kLongestRun) file.created = created;
    }
    found.files.push_back(file);
  }
  ::closedir(directory);
  return found;
}

class FilesSensor : public Sensor {
 public:
  FilesSensor(BackupSettings settings, std::shared_ptr<Look> look, Millis settled, World& world)
      : settings_(std::move(settings)), look_(std::move(look)), settled_(settled), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    // A look that hangs in a dead file server must not be joined by others.
    if (look_->under_way.exchange(true)) {
      co_return BackupNotSeen(settings_, "an earlier look at the directory still hangs");
    }
    std::function<Found()> work = [look = look_] {
      Found seen = LookAt(*look);
      look->under_way = false;
      return seen;
    };
    const Found found = co_await OnPool<Found>(world_.pool, std::move(work));
    if (!found.error.empty()) co_return BackupNotSeen(settings_, found.error);
    const Instant now = world_.clock.Now();
    BackupFacts facts;
    size_t kept = 0;
    for (const FoundFile& file : found.files) {
      if (file.changed <= now && now - file.changed < settled_) {
        facts.running_since = std::min(facts.running_since.value_or(now), file.created);
        continue;
      }
      ++kept;
      if (!facts.oldest_snapshot || file.changed < *facts.oldest_snapshot) {
        facts.oldest_snapshot = file.changed;
      }
      SeenRun run;
      run.start = file.created;
      run.end = file.changed;
      run.end_known = file.created < file.changed;
      run.size = file.size;
      facts.runs.push_back(std::move(run));
    }
    facts.snapshots = kept;
    co_return JudgeBackup(settings_, std::move(facts), now);
  }

 private:
  BackupSettings settings_;
  std::shared_ptr<Look> look_;
  Millis settled_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeFilesSensor(YamlMap& config, World& world) {
  BackupSettings settings = ReadBackupSettings(config, "files");
  if (!settings.max_age) config.Fault("max_age", "`max_age` is missing, e.g. 26h");
  settings.offsite = config.Bool("offsite", false);
  const std::string files = ReadPath(config, "files", "");
  const size_t slash = files.rfind('/');
  auto look = std::make_shared<Look>();
  if (slash != std::string::npos) {
    look->directory = files.substr(0, std::max<size_t>(slash, 1));
    look->pattern = files.substr(slash + 1);
  }
  if (look->pattern.empty() || look->directory.find_first_of("*?[") != std::string::npos) {
    config.Fault("files",
                 "`files`: a directory and a pattern, as /srv/dump/*.sql.gz; * ? [ ] stand "
                 "in the last part only");
  }
  const Millis settled =
      config.Duration("settled", Millis(0), std::chrono::hours(24), std::chrono::minutes(1));
  return std::make_unique<FilesSensor>(std::move(settings), std::move(look), settled, world);
}

}  // namespace oppetid::agent
