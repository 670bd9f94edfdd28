// restic: when did this job last succeed, and what does its repository hold? Reads snapshots and
// locks through restic itself with --no-lock: it takes no lock and writes nothing.
//
// A snapshot is a run that succeeded (restic writes it last); failed runs leave none and are for
// the `job` sensor to tell, as are checks of the repository and restore tests. Its time is the
// run's start. Its end is known from restic 0.17 on, or from the file's own time in a local
// repository; else the end is taken to be the start.
//
// Sizes cost one restic each for snapshots without them (before 0.17), once for each snapshot. What
// takes longer than the deadline is done without at every other attempt.
// Threading: the agent's thread.
#include <algorithm>
#include <map>
#include <set>

#include "agent/sensors/backup_job.h"
#include "agent/sensors/backup_tool.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/restic_output.h"
#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kLongestRun{72LL * 3'600'000};
constexpr size_t kMaxSelectors = 16;

struct ResticConfig {
  BackupSettings settings;
  std::string repository;            // empty when a file names it
  std::vector<std::string> secrets;  // files
  bool sizes = true;
  std::vector<std::string> common;  // program and what every call takes
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> selection;
};

class ResticSensor : public Sensor {
 public:
  ResticSensor(ResticConfig config, World& world)
      : config_(std::move(config)), world_(world), list_(MakeList(), world) {}

  boost::asio::awaitable<Answer> Ask() override {
    for (const std::string& secret : config_.secrets) {
      const std::string fault = co_await SecretFault(world_, secret);
      if (!fault.empty()) co_return BackupNotSeen(config_.settings, fault);
    }
    // The one kept run: while a restic hangs in the kernel there is no second one.
    const Finished listed = co_await list_.Run();
    if (const std::string fault = ListFault(listed); !fault.empty()) {
      co_return BackupNotSeen(config_.settings, fault);
    }
    auto snapshots = ParseResticSnapshots(listed.output);
    if (!snapshots) {
      co_return BackupNotSeen(config_.settings, "cannot read what restic printed as snapshots");
    }
    BackupFacts facts;
    co_await AddLocks(facts);
    co_await AddRuns(*std::move(snapshots), facts);
    co_return JudgeBackup(config_.settings, std::move(facts), world_.clock.Now());
  }

 private:
  static std::string Failure(const Finished& finished) {
    std::string fault = RunFault(finished);
    if (!fault.empty()) return "restic: " + fault;
    return finished.exit_code == 0 ? "" : ResticFailure(finished.exit_code, finished.error_output);
  }

  // One that was left out might be the newest.
  static std::string ListFault(const Finished& listed) {
    std::string fault = Failure(listed);
    if (fault.empty()) fault = ResticLeftOut(listed.error_output);
    if (fault.empty() && listed.error_output.size() >= kMaxStderrBytes) {
      fault = "restic complains more than is read: " + OneLine(listed.error_output, 160);
    }
    return fault;
  }

  Command MakeList() const {
    Command command = Make({"snapshots", "--json"});
    command.argv.insert(command.argv.end(), config_.selection.begin(), config_.selection.end());
    return command;
  }

  Command Make(std::vector<std::string> arguments) const {
    Command command;
    command.argv = config_.common;
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.max_stdout_bytes = kMaxToolJsonBytes;
    command.gentle = true;
    command.environment = config_.environment;
    return command;
  }

  boost::asio::awaitable<void> AddLocks(BackupFacts& facts) {
    Command command = Make({"list", "locks"});
    const Finished listed = co_await RunTool(world_, std::move(command));
    if (const std::string fault = Failure(listed); !fault.empty()) {
      facts.not_seen.push_back("locks: " + fault);
      co_return;
    }
    for (const std::string& id : ParseResticLockIds(listed.output)) {
      Command cat = Make({"cat", "lock", id});
      const Finished lock = co_await RunTool(world_, std::move(cat));
      const auto made = lock.exit_code == 0 ? ParseResticLock(lock.output) : std::nullopt;
      if (!made) continue;  // let go in between; or damaged, and then restic too passes it by
      facts.oldest_lock = std::min(facts.oldest_lock.value_or(*made), *made);
    }
  }

  boost::asio::awaitable<void> AddRuns(std::vector<ResticSnapshot> snapshots, BackupFacts& facts) {
    facts.snapshots = snapshots.size();
    if (snapshots.empty()) co_return;
    facts.oldest_snapshot = snapshots.front().start;
    std::set<std::string> hosts;
    for (const ResticSnapshot& snapshot : snapshots) hosts.insert(snapshot.host);
    if (hosts.size() > 1) {
      facts.warnings.push_back("snapshots of " + std::to_string(hosts.size()) +
                               " hosts; choose with `host`");
    }
    if (snapshots.size() > kMaxBackupRuns) {
      snapshots.erase(snapshots.begin(), snapshots.end() - static_cast<ptrdiff_t>(kMaxBackupRuns));
    }
    co_await AddEnds(snapshots);
    if (config_.sizes) co_await AddSizes(snapshots, facts);
    const ResticSnapshot& newest = snapshots.back();
    for (const ResticSnapshot& snapshot : snapshots) {
      SeenRun run;
      run.start = snapshot.start;
      run.end_known = snapshot.end.has_value();
      run.end = snapshot.end.value_or(snapshot.start);
      // Other hosts and paths are other amounts.
      if (snapshot.host == newest.host && snapshot.paths == newest.paths) {
        run.size = snapshot.size;
        run.files = snapshot.files;
      }
      facts.runs.push_back(std::move(run));
    }
  }

  boost::asio::awaitable<void> AddEnds(std::vector<ResticSnapshot>& snapshots) {
    const bool local = config_.repository.starts_with('/');
    std::vector<std::string> files;
    files.reserve(snapshots.size());
    for (const ResticSnapshot& snapshot : snapshots) {
      files.push_back(local ? config_.repository + "/snapshots/" + snapshot.id : "");
    }
    std::vector<std::optional<Instant>> ends;
    if (local) ends = co_await ChangedAt(world_, std::move(files));
    for (size_t i = 0; i < snapshots.size(); ++i) {
      ResticSnapshot& snapshot = snapshots[i];
      if (!snapshot.end && i < ends.size()) snapshot.end = ends[i];
      // A repository that was copied, or a snapshot dated by hand, has times of its own.
      if (snapshot.end &&
          (*snapshot.end < snapshot.start || *snapshot.end > snapshot.start + kLongestRun)) {
        snapshot.end.reset();
      }
    }
  }

  boost::asio::awaitable<void> AddSizes(std::vector<ResticSnapshot>& snapshots,
                                        BackupFacts& facts) {
    const ResticSnapshot newest = snapshots.back();
    std::map<std::string, ResticStats> known;  // drops what is no longer asked for
    size_t compared = 0;
    for (auto at = snapshots.rbegin(); at != snapshots.rend() && compared <= kComparedRuns; ++at) {
      if (at->host != newest.host || at->paths != newest.paths) continue;
      ++compared;
      if (at->size) continue;
      auto stats = sizes_.find(at->id);
      if (stats == sizes_.end()) {
        if (std::exchange(sizing_, "") == at->id) {
          facts.not_seen.emplace_back(kSizeTooSlow);
          break;
        }
        sizing_ = at->id;
        Command command = Make({"stats", "--json", "--mode", "restore-size", at->id});
        const Finished finished = co_await RunTool(world_, std::move(command));
        sizing_.clear();
        const std::string fault = Failure(finished);
        const auto parsed = fault.empty() ? ParseResticStats(finished.output) : std::nullopt;
        if (!parsed) {
          facts.not_seen.push_back("size: " + (fault.empty() ? "not what restic prints" : fault));
          break;
        }
        // Kept at once: a deadline that strikes later costs the rest only.
        stats = sizes_.emplace(at->id, *parsed).first;
      }
      known.insert(*stats);
      at->size = stats->second.size;
      at->files = stats->second.files;
    }
    sizes_ = std::move(known);
  }

  ResticConfig config_;
  World& world_;
  Subprocess list_;
  std::map<std::string, ResticStats> sizes_;  // by snapshot
  // The snapshot whose size was asked for when a deadline struck. The next attempt does without, so
  // that a size that takes too long hides nothing else; the one after that tries again.
  std::string sizing_;
};

void ReadRepository(YamlMap& config, ResticConfig& restic) {
  restic.repository = config.String("repository", "");
  const std::string file = config.Has("repository_file") ? ReadPath(config, "repository_file", "")
                                                         : config.String("repository_file", "");
  if (restic.repository.empty() == file.empty()) {
    config.Fault("repository", "give `repository`, or `repository_file` with the repository in it");
  }
  if (file.empty()) {
    restic.common.insert(restic.common.end(), {"-r", restic.repository});
  } else {
    restic.common.insert(restic.common.end(), {"--repository-file", file});
    restic.secrets.push_back(file);
  }
  // rest:https://user:password@host/ would be an argument that everybody here can read.
  const size_t scheme = restic.repository.find("://");
  const size_t host = scheme == std::string::npos ? 0 : restic.repository.find('@', scheme);
  if (scheme != std::string::npos && host != std::string::npos &&
      restic.repository.find(':', scheme + 3) < host) {
    config.Fault("repository",
                 "`repository`: a password in it is seen by every user of this "
                 "machine; put it in a file and give `repository_file`");
  }
}

void ReadSelection(YamlMap& config, ResticConfig& restic) {
  if (const auto host = config.String("host")) {
    restic.selection.insert(restic.selection.end(), {"--host", *host});
    if (!config.Has("source_host")) restic.settings.source_host = *host;
  }
  const auto add = [&](std::string_view key, const char* option) {
    const std::vector<std::string> values = config.Strings(key);
    if (values.size() > kMaxSelectors) config.Fault(key, "`" + std::string(key) + "`: at most 16");
    for (const std::string& value : values) {
      restic.selection.insert(restic.selection.end(), {option, value});
    }
  };
  add("tags", "--tag");
  add("paths", "--path");
}

}  // namespace

std::unique_ptr<Sensor> MakeResticSensor(YamlMap& config, World& world) {
  ResticConfig restic;
  restic.settings = ReadBackupSettings(config, "restic");
  if (!restic.settings.max_age) config.Fault("max_age", "`max_age` is missing, e.g. 26h");
  ReadLockLevels(config, restic.settings);
  restic.settings.offsite = config.Bool("offsite", false);
  restic.sizes = config.Bool("sizes", true);
  restic.common = {ReadPath(config, "program", "/usr/bin/restic"), "--no-lock"};
  ReadRepository(config, restic);
  const std::string password_file = ReadPath(config, "password_file", "");
  restic.common.insert(restic.common.end(), {"--password-file", password_file});
  restic.secrets.push_back(password_file);
  if (config.Has("s3_credentials_file")) {
    // In the form of ~/.aws/credentials, profile `default`.
    restic.secrets.push_back(ReadPath(config, "s3_credentials_file", ""));
    restic.environment = {{"AWS_SHARED_CREDENTIALS_FILE", restic.secrets.back()}};
  } else {
    config.String("s3_credentials_file", "");
  }
  if (config.Has("cache")) {
    restic.common.insert(restic.common.end(), {"--cache-dir", ReadPath(config, "cache", "")});
  } else {
    config.String("cache", "");
    restic.common.emplace_back("--no-cache");
  }
  ReadSelection(config, restic);
  return std::make_unique<ResticSensor>(std::move(restic), world);
}

}  // namespace oppetid::agent
