// What PostgreSQL's archiver and pgbackrest say of themselves, as JSON.
//
// Pure functions, safe from any thread; any input gives an answer or nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/instant.h"

namespace oppetid::agent {

// The archiver as postgres_wal's question has it; times are the server's.
struct WalArchiver {
  Instant now;
  bool archiving = false;     // archive_mode is on or always
  bool standby = false;       // in recovery
  bool also_standby = false;  // archive_mode is always
  std::optional<Instant> last_archived;
  std::optional<Instant> last_failed;
  uint64_t failed_count = 0;
  uint64_t ready = 0;                   // segments that wait
  std::optional<Instant> oldest_ready;  // since when the first of them does
};
std::optional<WalArchiver> ParseWalArchiver(std::string_view json);

// More are not looked at; a stanza keeps tens.
inline constexpr size_t kMaxPgBackups = 5'000;

struct PgBackup {
  Instant start;
  Instant end;
  bool page_errors = false;  // some pages failed their checksum
  uint64_t size = 0;         // of the database
};
struct PgStanza {
  // As pgbackrest numbers them: 0 ok, 1 missing stanza path, 2 no valid backups, 3 missing stanza
  // data, others are mixtures or faults.
  uint64_t code = 0;
  std::string message;  // one line
  bool running = false;
  size_t repositories = 0;        // that were asked
  std::vector<PgBackup> backups;  // by start, of all of them
};
// `--output=json info` for one stanza; nullopt when it is not that or has no such stanza.
std::optional<PgStanza> ParsePgStanza(std::string_view json, std::string_view stanza);

// Why pgbackrest could not look, from its message, as one line. A wrong passphrase and a damaged
// repository look alike to it.
std::string PgBackRestFailure(std::string_view message);

}  // namespace oppetid::agent
