#include "collector/ledger/schema.h"

#include <openssl/rand.h>

#include <array>

#include "absl/strings/str_cat.h"

namespace oppetid::collector {
namespace {

// Step i makes a file of schema i one of schema i + 1. Instants: UTC milliseconds.
constexpr const char* kSteps[] = {
    R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE checks (
  id INTEGER PRIMARY KEY,
  host TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (host, name));
-- One row is one piece of a run, [from_ms, to_ms), or a gap (state 4). Instants: UTC milliseconds.
CREATE TABLE spans (
  check_id INTEGER NOT NULL REFERENCES checks (id),
  since_ms INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL CHECK (to_ms > from_ms),
  recorded_at_ms INTEGER NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (check_id, since_ms, state, from_ms)) WITHOUT ROWID;
CREATE TABLE agents (
  host TEXT PRIMARY KEY,
  municipality TEXT NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  version TEXT NOT NULL,
  os TEXT NOT NULL,
  interval_ms INTEGER NOT NULL,
  runs TEXT NOT NULL,
  watermarks TEXT NOT NULL) WITHOUT ROWID;
)sql",
    R"sql(
-- Full name of a job: host/job. Kind: restore_test 0 or 1.
CREATE TABLE backup_runs (
  host TEXT NOT NULL,
  job TEXT NOT NULL,
  restore_test INTEGER NOT NULL CHECK (restore_test IN (0, 1)),
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms),
  success INTEGER NOT NULL CHECK (success IN (0, 1)),
  bytes INTEGER NOT NULL,
  files INTEGER NOT NULL,
  recorded_at_ms INTEGER NOT NULL,
  PRIMARY KEY (host, job, restore_test, start_ms)) WITHOUT ROWID;
-- What people decided, each record carrying the hash over the one before and itself.
CREATE TABLE acts (
  number INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  who TEXT NOT NULL,
  on_behalf_of TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL);
)sql",
    R"sql(
-- Values at creation. No subject, text or person is ever stored of a ticket.
CREATE TABLE tickets (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  municipality TEXT NOT NULL,
  kind TEXT NOT NULL,
  priority TEXT NOT NULL,
  service TEXT NOT NULL,
  recorded_at_ms INTEGER NOT NULL) WITHOUT ROWID;
-- Municipality, kind, priority and service are empty where the event does not change them.
CREATE TABLE ticket_events (
  ticket_id TEXT NOT NULL REFERENCES tickets (id),
  at_ms INTEGER NOT NULL,
  event_key TEXT NOT NULL,
  status TEXT NOT NULL,
  responded INTEGER NOT NULL CHECK (responded IN (0, 1)),
  removed INTEGER NOT NULL CHECK (removed IN (0, 1)),
  municipality TEXT NOT NULL,
  kind TEXT NOT NULL,
  priority TEXT NOT NULL,
  service TEXT NOT NULL,
  source_order INTEGER NOT NULL,
  recorded_at_ms INTEGER NOT NULL,
  PRIMARY KEY (ticket_id, at_ms, event_key, status, responded, removed, municipality, kind,
               priority, service)) WITHOUT ROWID;
CREATE TABLE ticket_answers (
  ticket_id TEXT NOT NULL REFERENCES tickets (id),
  at_ms INTEGER NOT NULL,
  score INTEGER NOT NULL CHECK (score BETWEEN 1 AND 5),
  recorded_at_ms INTEGER NOT NULL,
  PRIMARY KEY (ticket_id, at_ms)) WITHOUT ROWID;
CREATE TABLE ticket_sources (
  source TEXT PRIMARY KEY,
  mapping TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  token TEXT NOT NULL,
  succeeded_ms INTEGER NOT NULL,
  rescanned_ms INTEGER NOT NULL) WITHOUT ROWID;
)sql",
    R"sql(
-- Of when the newest snapshot is that told of the ticket; 0 where none did.
ALTER TABLE tickets ADD COLUMN snapshot_ms INTEGER NOT NULL DEFAULT 0;
)sql",
};
constexpr int64_t kSchemaVersion = std::size(kSteps);

constexpr char kPragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
    "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-16000;";

std::string RandomId() {
  std::array<unsigned char, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::string id;
  for (const unsigned char byte : bytes) {
    constexpr char kHex[] = "0123456789abcdef";
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

absl::Status Newer(const std::string& path, int64_t version) {
  return absl::FailedPreconditionError(absl::StrCat(path, " has schema ", version,
                                                    ", newer than this program's ", kSchemaVersion,
                                                    "; run the newer program"));
}

}  // namespace

absl::Status Migrate(Database& db, const std::string& path) {
  const auto version = db.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version > kSchemaVersion) return Newer(path, *version);
  if (auto status = db.Execute(kPragmas); !status.ok()) return status;
  for (int64_t step = *version; step < kSchemaVersion; ++step) {
    std::string sql = absl::StrCat("BEGIN IMMEDIATE;", kSteps[step]);
    if (step == 0) {
      absl::StrAppend(&sql, "INSERT INTO meta VALUES ('ledger_id', '", RandomId(), "');");
    }
    absl::StrAppend(&sql, "PRAGMA user_version = ", step + 1, "; COMMIT;");
    if (auto status = db.Execute(sql.c_str()); !status.ok()) {
      db.Execute("ROLLBACK").IgnoreError();  // there may be none to roll back
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSchema(Database& db, const std::string& path) {
  const auto version = db.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version > kSchemaVersion) return Newer(path, *version);
  if (*version == kSchemaVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, *version == 0 ? " is no ledger" : " is a ledger of an older program",
                   *version == 0 ? "" : "; start this version's collector on it once"));
}

}  // namespace oppetid::collector
