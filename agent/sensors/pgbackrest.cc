// pgbackrest: when was this stanza last backed up, and what is kept? Asks `pgbackrest info`, which
// takes no lock, writes nothing and does not ask the database.
//
// A backup in the list is a run that succeeded; one with page errors succeeded in copying a
// damaged database, which is told as critical. A stanza that the repository does not know is
// unknown, not never: the repository may not be mounted. Of several repositories the newest backup
// of one would hide that another has none; each is a check of its own (`repo`).
// Threading: the agent's thread.
#include <algorithm>

#include "agent/sensors/backup_job.h"
#include "agent/sensors/backup_tool.h"
#include "agent/sensors/postgres_output.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/tool_json.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr uint64_t kFine = 0;
constexpr uint64_t kNoBackups = 2;
constexpr int64_t kMaxRepository = 256;  // as pgbackrest numbers them

struct PgBackRestConfig {
  BackupSettings settings;
  std::string stanza;
  Command command;
};

class PgBackRestSensor : public Sensor {
 public:
  PgBackRestSensor(PgBackRestConfig config, World& world)
      : config_(std::move(config)), world_(world), info_(config_.command, world) {}

  boost::asio::awaitable<Answer> Ask() override {
    const Finished finished = co_await info_.Run();
    std::string fault = RunFault(finished);
    if (fault.empty() && finished.exit_code != 0) {
      // "ERROR: [055]: unable to open missing file …", on either of the two.
      std::string_view said = finished.error_output;
      if (said.empty()) said = finished.output;
      fault = "exit code " + std::to_string(finished.exit_code) + ": " + OneLine(said, 200);
    }
    if (!fault.empty()) co_return BackupNotSeen(config_.settings, "pgbackrest: " + fault);
    const auto stanza = ParsePgStanza(finished.output, config_.stanza);
    if (!stanza) {
      co_return BackupNotSeen(config_.settings, "pgbackrest says nothing of the stanza `" +
                                                    OneLine(config_.stanza, 60) + "`");
    }
    if (stanza->code != kFine && stanza->code != kNoBackups) {
      const char* choose = stanza->repositories > 1 ? "; choose one with `repo`" : "";
      co_return BackupNotSeen(config_.settings, PgBackRestFailure(stanza->message) + choose);
    }
    co_return JudgeBackup(config_.settings, Facts(*stanza), world_.clock.Now());
  }

 private:
  BackupFacts Facts(const PgStanza& stanza) {
    BackupFacts facts;
    if (stanza.repositories > 1) {
      facts.warnings.push_back("backups of " + std::to_string(stanza.repositories) +
                               " repositories; choose with `repo`");
    }
    facts.snapshots = stanza.backups.size();
    if (!stanza.backups.empty()) facts.oldest_snapshot = stanza.backups.front().start;
    for (const PgBackup& backup : stanza.backups) {
      SeenRun run;
      run.start = backup.start;
      run.end = backup.end;
      run.end_known = true;
      run.size = backup.size;
      facts.runs.push_back(std::move(run));
    }
    if (!stanza.backups.empty() && stanza.backups.back().page_errors) {
      facts.faults.emplace_back("pages of the database fail their checksum");
    }
    // pgbackrest says that one runs, not since when.
    if (!stanza.running) running_since_.reset();
    if (stanza.running && !running_since_) running_since_ = world_.clock.Now();
    facts.running_since = running_since_;
    return facts;
  }

  PgBackRestConfig config_;
  World& world_;
  Subprocess info_;
  std::optional<Instant> running_since_;
};

}  // namespace

std::unique_ptr<Sensor> MakePgBackRestSensor(YamlMap& config, World& world) {
  PgBackRestConfig pg;
  pg.settings = ReadBackupSettings(config, "pgbackrest");
  if (!pg.settings.max_age) config.Fault("max_age", "`max_age` is missing, e.g. 26h");
  pg.settings.offsite = config.Bool("offsite", false);
  pg.stanza = config.RequiredString("stanza");
  const auto repository = config.Int("repo", 1, kMaxRepository);
  pg.command.argv = {ReadPath(config, "program", "/usr/bin/pgbackrest"),
                     "--config=" + ReadPath(config, "config", "/etc/pgbackrest.conf"),
                     "--stanza=" + pg.stanza,
                     "--log-level-file=off",
                     "--log-level-console=error",
                     "--output=json",
                     "info"};
  if (repository) pg.command.argv.push_back("--repo=" + std::to_string(*repository));
  pg.command.max_stdout_bytes = kMaxToolJsonBytes;
  pg.command.gentle = true;
  return std::make_unique<PgBackRestSensor>(std::move(pg), world);
}

}  // namespace oppetid::agent
