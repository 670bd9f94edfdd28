// borg: when did this job last succeed, and what does its repository hold? Reads the archives
// through borg itself with --bypass-lock: it takes no lock and writes nothing to the repository.
//
// An archive is a run that succeeded (perhaps with warnings); failed runs leave none and are for
// the `job` sensor to tell, as are checks of the repository and restore tests.
//
// borg keeps a cache and what it knows of a repository's identity in a directory of its own, here
// `cache`; ends and sizes need the cache, which a first look at a large repository fills.
// Threading: the agent's thread.
#include <algorithm>
#include <map>

#include "agent/sensors/backup_job.h"
#include "agent/sensors/backup_tool.h"
#include "agent/sensors/borg_output.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

struct BorgConfig {
  BackupSettings settings;
  std::string program;
  std::string repository;
  std::string passphrase_file;  // empty for a repository without encryption
  std::string match;            // a glob over names; empty for all
  bool sizes = true;
  std::vector<std::pair<std::string, std::string>> environment;
};

class BorgSensor : public Sensor {
 public:
  BorgSensor(BorgConfig config, World& world)
      : config_(std::move(config)), world_(world), list_(Make({"list", "--json"}), world) {}

  boost::asio::awaitable<Answer> Ask() override {
    if (!config_.passphrase_file.empty()) {
      const std::string fault = co_await SecretFault(world_, config_.passphrase_file);
      if (!fault.empty()) co_return BackupNotSeen(config_.settings, fault);
    }
    const Finished listed = co_await list_.Run();
    if (const std::string fault = Failure(listed); !fault.empty()) {
      co_return BackupNotSeen(config_.settings, fault);
    }
    auto archives = ParseBorgArchives(listed.output);
    if (!archives) {
      co_return BackupNotSeen(config_.settings, "cannot read what borg printed as archives");
    }
    BackupFacts facts;
    facts.snapshots = archives->size();
    if (!archives->empty()) facts.oldest_snapshot = archives->front().start;
    if (config_.sizes && !archives->empty()) co_await AddDetails(*archives, facts);
    for (const BorgArchive& archive : *archives) {
      const bool known = archive.end && *archive.end >= archive.start;
      SeenRun run;
      run.start = archive.start;
      run.end = known ? *archive.end : archive.start;
      run.end_known = known;
      run.size = archive.size;
      run.files = archive.files;
      facts.runs.push_back(std::move(run));
    }
    co_await AddLock(facts);
    co_return JudgeBackup(config_.settings, std::move(facts), world_.clock.Now());
  }

 private:
  static std::string Failure(const Finished& finished) {
    std::string fault = RunFault(finished);
    if (!fault.empty()) return "borg: " + fault;
    // 1 is a warning, with everything printed.
    return finished.exit_code <= 1 ? "" : BorgFailure(finished.exit_code, finished.error_output);
  }

  Command Make(std::vector<std::string> arguments) const {
    Command command;
    command.argv = {config_.program, "--bypass-lock"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    if (!config_.match.empty()) {
      command.argv.insert(command.argv.end(), {"--glob-archives", config_.match});
    }
    command.argv.push_back(config_.repository);
    command.environment = config_.environment;
    command.max_stdout_bytes = kMaxToolJsonBytes;
    command.gentle = true;
    return command;
  }

  // Of the newest runs; asked for only when there is a new one.
  boost::asio::awaitable<void> AddDetails(std::vector<BorgArchive>& archives, BackupFacts& facts) {
    if (!details_.contains(archives.back().id)) {
      if (std::exchange(cut_, false)) {
        facts.not_seen.emplace_back(kSizeTooSlow);
        co_return;
      }
      cut_ = true;
      Command command = Make({"info", "--json", "--last", std::to_string(kMaxBackupRuns)});
      const Finished finished = co_await RunTool(world_, std::move(command));
      cut_ = false;
      const std::string fault = Failure(finished);
      auto details = fault.empty() ? ParseBorgArchives(finished.output) : std::nullopt;
      if (!details) {
        facts.not_seen.push_back("size: " + (fault.empty() ? "not what borg prints" : fault));
        co_return;
      }
      details_.clear();
      for (BorgArchive& detail : *details) details_.emplace(detail.id, detail);
    }
    for (BorgArchive& archive : archives) {
      const auto found = details_.find(archive.id);
      if (found != details_.end()) archive = found->second;
    }
  }

  // borg makes the directory when it takes the lock alone, and keeps the file while some share it,
  // which holds up whoever wants it alone. Only a local repository shows them.
  boost::asio::awaitable<void> AddLock(BackupFacts& facts) {
    if (!config_.repository.starts_with('/')) co_return;
    std::vector<std::string> paths = {config_.repository + "/lock.exclusive",
                                      config_.repository + "/lock.roster"};
    for (const auto& made : co_await ChangedAt(world_, std::move(paths))) {
      if (made) facts.oldest_lock = std::min(facts.oldest_lock.value_or(*made), *made);
    }
  }

  BorgConfig config_;
  World& world_;
  Subprocess list_;
  std::map<std::string, BorgArchive> details_;  // by id
  // A deadline struck while details were asked for. The next attempt does without, so that filling
  // the cache hides nothing else; the one after that goes on with it.
  bool cut_ = false;
};

}  // namespace

std::unique_ptr<Sensor> MakeBorgSensor(YamlMap& config, World& world) {
  BorgConfig borg;
  borg.settings = ReadBackupSettings(config, "borg");
  if (!borg.settings.max_age) config.Fault("max_age", "`max_age` is missing, e.g. 26h");
  ReadLockLevels(config, borg.settings);
  borg.settings.offsite = config.Bool("offsite", false);
  borg.sizes = config.Bool("sizes", true);
  borg.program = ReadPath(config, "program", "/usr/bin/borg");
  borg.repository = config.RequiredString("repository");
  if (borg.repository.starts_with('-')) {
    config.Fault("repository", "`repository`: a path, or ssh://user@host/path");
  }
  borg.match = config.String("match", "");
  borg.environment = {{"TZ", "UTC"},
                      {"BORG_BASE_DIR", ReadPath(config, "cache", "")},
                      // borg would ask a person; it is our configuration that names the repository.
                      {"BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes"},
                      {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes"}};
  if (config.Has("passphrase_file")) {
    borg.passphrase_file = ReadPath(config, "passphrase_file", "");
    borg.environment.emplace_back("BORG_PASSCOMMAND", "/bin/cat '" + borg.passphrase_file + "'");
  } else {
    config.String("passphrase_file", "");
    // Or else it would ask for one.
    borg.environment.emplace_back("BORG_PASSPHRASE", "");
  }
  return std::make_unique<BorgSensor>(std::move(borg), world);
}

}  // namespace oppetid::agent
