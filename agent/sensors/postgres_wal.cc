// postgres_wal: does this PostgreSQL server's write-ahead log reach its archive? Asks the server
// itself through psql, read-only, as a role in pg_monitor.
//
// The age of the last archived segment says nothing on an idle server, which archives nothing.
// What counts is what waits: the age of the oldest segment that is ready and not yet archived is
// how much would be lost with the server now.
//
// The password, if one is needed, is in a file (PGPASSFILE); never in an argument.
// Threading: the agent's thread.
#include <algorithm>

#include "agent/sensors/backup_job.h"
#include "agent/sensors/backup_tool.h"
#include "agent/sensors/host_levels.h"
#include "agent/sensors/postgres_output.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxConnectionBytes = 200;
constexpr Millis kMaxDelay{7LL * 86'400'000};

constexpr char kQuestion[] =
    "SELECT json_build_object("
    "'now', extract(epoch FROM clock_timestamp()), "
    "'archive_mode', current_setting('archive_mode'), "
    "'standby', pg_is_in_recovery(), "
    // The statistics begin anew after a crash; the marks of what was archived stay. Those of a
    // standby are of what it was sent.
    "'last_archived', extract(epoch FROM coalesce(last_archived_time, (SELECT max(modification) "
    "FROM pg_ls_archive_statusdir() WHERE name LIKE '%.done' AND NOT pg_is_in_recovery()))), "
    "'last_failed', extract(epoch FROM last_failed_time), "
    "'failed_count', failed_count, "
    "'ready', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'), "
    "'oldest_ready', (SELECT extract(epoch FROM min(modification)) "
    "FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')) "
    "FROM pg_stat_archiver";

struct WalConfig {
  BackupSettings settings;
  std::string password_file;
  Levels delay;  // milliseconds
  Levels waiting;
  Command command;
};

class PostgresWalSensor : public Sensor {
 public:
  PostgresWalSensor(WalConfig config, World& world)
      : config_(std::move(config)), world_(world), psql_(config_.command, world) {}

  boost::asio::awaitable<Answer> Ask() override {
    if (!config_.password_file.empty()) {
      const std::string fault = co_await SecretFault(world_, config_.password_file);
      if (!fault.empty()) co_return BackupNotSeen(config_.settings, fault);
    }
    const Finished finished = co_await psql_.Run();
    if (const std::string fault = RunFault(finished); !fault.empty()) {
      co_return BackupNotSeen(config_.settings, "psql: " + fault);
    }
    if (finished.exit_code != 0) {
      co_return BackupNotSeen(config_.settings, Refusal(finished.error_output));
    }
    const auto archiver = ParseWalArchiver(finished.output);
    if (!archiver) co_return BackupNotSeen(config_.settings, "cannot read what psql printed");
    co_return Judge(*archiver);
  }

 private:
  // psql puts the reason last when it tries several addresses: "psql: error: connection to …".
  static std::string Refusal(std::string_view error_output) {
    while (error_output.ends_with('\n')) error_output.remove_suffix(1);
    constexpr std::string_view kPrefix = "psql: error: ";
    if (error_output.starts_with(kPrefix)) error_output.remove_prefix(kPrefix.size());
    const std::string line = OneLine(error_output, 200);
    const auto says = [&](std::string_view text) {
      return error_output.find(text) != std::string_view::npos;
    };
    if (says("password authentication failed") || says("no password supplied")) {
      return "wrong password for the server: " + line;
    }
    if (says("permission denied")) return "the role must be in pg_monitor: " + line;
    return "cannot ask the server: " + line;
  }

  void Add(Answer& answer, const char* family, double value) const {
    answer.samples.push_back({family, BackupLabels(config_.settings), value});
  }

  Answer Judge(const WalArchiver& archiver) const {
    Answer answer;
    Verdict verdict;
    const bool idle_standby = archiver.standby && !archiver.also_standby;
    const bool failing =
        archiver.ready > 0 && archiver.last_failed &&
        (!archiver.last_archived || *archiver.last_failed > *archiver.last_archived);
    const char* result = failing ? "failed" : archiver.last_archived ? "success" : "never";
    Labels labels = BackupLabels(config_.settings);
    if (!idle_standby) {
      labels.emplace_back("result", result);
      answer.samples.push_back({"backup_last_result", std::move(labels), 1});
    }
    const Millis delay = archiver.oldest_ready
                             ? std::max(archiver.now - *archiver.oldest_ready, Millis(0))
                             : Millis(0);
    Add(answer, "backup_wal_failing", failing ? 1 : 0);
    Add(answer, "backup_wal_ready_files", static_cast<double>(archiver.ready));
    Add(answer, "backup_wal_delay_seconds", static_cast<double>(delay.count()) / 1000);
    if (archiver.last_archived) {
      Add(answer, "backup_wal_last_archived_timestamp_seconds",
          static_cast<double>(ToUnixMillis(*archiver.last_archived)) / 1000);
    }
    if (!archiver.archiving) {
      verdict.Add(State::kCritical, "archive_mode is off: no WAL is archived");
    } else if (idle_standby) {
      verdict.Summarise("a standby, its primary archives");
    } else {
      Archiving(archiver, failing, delay, verdict);
    }
    answer.state = verdict.state();
    answer.text = verdict.Text();
    return answer;
  }

  void Archiving(const WalArchiver& archiver, bool failing, Millis delay, Verdict& verdict) const {
    const std::string waits = std::to_string(archiver.ready) + " segments wait";
    if (failing) {
      verdict.Add(State::kWarning,
                  "archiving fails (" + std::to_string(archiver.failed_count) + " times)");
    } else if (!archiver.last_archived) {
      verdict.Add(State::kWarning, "no WAL archived yet");
    } else {
      verdict.Summarise("last segment archived " +
                        RoughDuration(std::max(archiver.now - *archiver.last_archived, Millis(0))) +
                        " ago");
    }
    verdict.Judge(config_.delay, delay.count(), waits + ", the oldest for " + RoughDuration(delay));
    verdict.Judge(config_.waiting, static_cast<int64_t>(archiver.ready), waits);
    verdict.Summarise(waits);
  }

  WalConfig config_;
  World& world_;
  Subprocess psql_;
};

// Plain words only, so that a value cannot become another option of the connection.
std::string ReadWord(YamlMap& config, std::string_view key, std::string_view fallback) {
  std::string word = config.String(key, fallback);
  const bool odd =
      word.size() > kMaxConnectionBytes || word.find_first_of(" \t\r\n'\\=") != word.npos;
  if (odd) config.Fault(key, "`" + std::string(key) + "`: a word without spaces and quotes");
  return word;
}

void ReadLevels(YamlMap& config, WalConfig& wal) {
  const Millis warning =
      config.Duration("warning_delay", Millis(1'000), kMaxDelay, std::chrono::minutes(5));
  const Millis critical =
      config.Duration("max_delay", Millis(1'000), kMaxDelay, std::chrono::minutes(30));
  if (warning >= critical) config.Fault("max_delay", "`max_delay` must be above `warning_delay`");
  wal.delay = {warning.count(), critical.count()};
  wal.waiting = {config.Int("warning_waiting", 1, 1'000'000, 10),
                 config.Int("max_waiting", 1, 1'000'000, 100)};
  if (*wal.waiting.warning >= *wal.waiting.critical) {
    config.Fault("max_waiting", "`max_waiting` must be above `warning_waiting`");
  }
}

}  // namespace

std::unique_ptr<Sensor> MakePostgresWalSensor(YamlMap& config, World& world) {
  WalConfig wal;
  ReadBackupNames(config, "postgres_wal", wal.settings);
  ReadLevels(config, wal);
  std::string connection = "connect_timeout=5";
  // A directory for a local socket, or a host name.
  connection += " host=" + ReadWord(config, "server", "/var/run/postgresql");
  connection += " port=" + std::to_string(config.Int("port", 1, 65535, 5432));
  connection += " dbname=" + ReadWord(config, "database", "postgres");
  const std::string user = ReadWord(config, "user", "");
  if (!user.empty()) connection += " user=" + user;
  wal.command.argv = {ReadPath(config, "program", "/usr/bin/psql"),
                      "-X",
                      "-A",
                      "-t",
                      "-q",
                      "-w",
                      "-d",
                      connection,
                      "-c",
                      kQuestion};
  wal.command.gentle = true;
  wal.command.environment = {
      {"PGAPPNAME", "oppetid-agent"},
      {"PGOPTIONS", "-c default_transaction_read_only=on -c statement_timeout=5s"}};
  if (config.Has("password_file")) {
    wal.password_file = ReadPath(config, "password_file", "");
    wal.command.environment.emplace_back("PGPASSFILE", wal.password_file);
  } else {
    config.String("password_file", "");
  }
  return std::make_unique<PostgresWalSensor>(std::move(wal), world);
}

}  // namespace oppetid::agent
