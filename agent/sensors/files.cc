// files: how old, how large and how many are the files of a job that leaves plain files behind, as
// dumps and exports do? Looks at one directory on the pool; reads no file.
//
// A file counts when its name matches, it is a regular file and nobody has changed it for
// `settled`; what is being written is a run under way. A link counts as what it names, once. Its
// age is that of its content (mtime), so that a copy that keeps times is as old as what was copied;
// its start is its creation, where the filesystem knows one before that. A file that is written
// over in place keeps its creation, so the start of its later runs is not known.
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <compare>
#include <map>
#include <set>
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

// A number is given again to another file, but not with the same creation.
struct FileId {
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t inode = 0;
  Instant born;  // where the filesystem knows it

  auto operator<=>(const FileId&) const = default;
};

struct FoundFile {
  FileId id;
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

FoundFile ToFound(const struct statx& info) {
  FoundFile file{{info.stx_dev_major, info.stx_dev_minor, info.stx_ino, {}},
                 At(info.stx_mtime),
                 At(info.stx_mtime),
                 info.stx_size};
  if ((info.stx_mask & STATX_BTIME) != 0) {
    file.id.born = At(info.stx_btime);
    const Millis took = file.changed - file.id.born;
    if (took > Millis(0) && took < kLongestRun) file.created = file.id.born;
  }
  return file;
}

// Looks at one entry, and at what it names if it is a link. False when neither can be told; one
// that was removed in between, or a link to nothing, is told as no file.
bool LookAtEntry(int directory, const char* name, bool* link, struct statx* info) {
  constexpr unsigned kWanted = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_BTIME;
  *info = {};
  int result = ::statx(directory, name, AT_SYMLINK_NOFOLLOW, kWanted, info);
  *link = result == 0 && S_ISLNK(info->stx_mode);
  if (*link) result = ::statx(directory, name, 0, kWanted, info);
  if (result == 0) return true;
  *info = {};
  return errno == ENOENT;
}

std::string CannotRead(const std::string& path) {
  return "cannot read " + OneLine(path, 120) + ": " + std::generic_category().message(errno);
}

// Goes through the open directory. What cannot be told might be the newest file.
Found LookThrough(DIR* directory, const Look& look) {
  Found found;
  std::vector<FoundFile> named;  // by links
  std::set<FileId> linked;
  size_t entries = 0;
  for (errno = 0; const dirent* entry = ::readdir(directory); errno = 0) {
    if (++entries > kMaxEntries) {
      found.error =
          "more than " + std::to_string(kMaxEntries) + " files in " + OneLine(look.directory, 120);
      return found;
    }
    if (::fnmatch(look.pattern.c_str(), entry->d_name, FNM_PERIOD) != 0) continue;
    struct statx info;
    bool link = false;
    if (!LookAtEntry(::dirfd(directory), entry->d_name, &link, &info)) {
      found.error = CannotRead(entry->d_name);
      return found;
    }
    if (!S_ISREG(info.stx_mode)) continue;
    const FoundFile file = ToFound(info);
    if (!link) {
      found.files.push_back(file);
    } else if (linked.insert(file.id).second) {
      named.push_back(file);
    }
  }
  if (errno != 0) found.error = CannotRead(look.directory);
  for (const FoundFile& file : found.files) linked.erase(file.id);
  for (const FoundFile& file : named) {
    if (linked.contains(file.id)) found.files.push_back(file);
  }
  return found;
}

Found LookAt(const Look& look) {
  DIR* directory = ::opendir(look.directory.c_str());
  if (directory == nullptr) return {CannotRead(look.directory), {}};
  Found found = LookThrough(directory, look);
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
    Found found = co_await OnPool<Found>(world_.pool, std::move(work));
    if (!found.error.empty()) co_return BackupNotSeen(settings_, found.error);
    const Instant now = world_.clock.Now();
    TellOverwritten(found.files, now);
    BackupFacts facts;
    size_t kept = 0;
    for (const FoundFile& file : found.files) {
      if (!Settled(file, now)) {
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
  // The clock of a file server may be ahead; but what is of a time to come is not being written.
  bool Settled(const FoundFile& file, Instant now) const {
    return now - file.changed >= settled_ || file.changed > now + kRunAhead;
  }

  // Finds the files that hold another run than the one they were created for.
  void TellOverwritten(std::vector<FoundFile>& files, Instant now) {
    std::map<FileId, Instant> first_runs;
    for (FoundFile& file : files) {
      const auto first = first_runs_.find(file.id);
      const bool known = first != first_runs_.end();
      if (known && file.changed > first->second) {
        first_runs.insert(*first);
        file.created = file.changed;
      } else if (now - file.id.born < kLongestRun && (known || Settled(file, now))) {
        // Any later, its creation is too old to be taken for a start.
        first_runs.emplace(file.id, known ? first->second : file.changed);
      }
    }
    first_runs_ = std::move(first_runs);
  }

  BackupSettings settings_;
  std::shared_ptr<Look> look_;
  Millis settled_;
  World& world_;
  std::map<FileId, Instant> first_runs_;  // their ends
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
