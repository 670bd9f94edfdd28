#include "collector/ledger/sqlite.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/ledger/packing.h"
#include "collector/ledger/sqlite_db.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

constexpr int kSchemaVersion = 1;
// A gap is stored beside the runs, under a state of its own; the others are those of State.
constexpr int64_t kGapState = 4;

constexpr char kPragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
    "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-16000;";

constexpr char kSchema[] = R"sql(
BEGIN;
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
PRAGMA user_version = 1;
COMMIT;
)sql";

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

absl::StatusOr<std::vector<AgentRow>> ReadAgents(Database& db) {
  auto select = db.Prepare(
      "SELECT host, municipality, last_seen_ms, version, os, interval_ms, runs, watermarks "
      "FROM agents ORDER BY host");
  if (!select.ok()) return select.status();
  std::vector<AgentRow> rows;
  for (;;) {
    const auto row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return rows;
    AgentRow agent;
    agent.host = select->Text(0);
    agent.municipality = select->Text(1);
    agent.last_seen = FromUnixMillis(select->Int(2));
    agent.version = select->Text(3);
    agent.os = select->Text(4);
    agent.interval = Millis(select->Int(5));
    agent.runs = UnpackRuns(select->Text(6));
    agent.watermarks = UnpackWatermarks(select->Text(7));
    rows.push_back(std::move(agent));
  }
}

class SqliteReader : public LedgerReader {
 public:
  explicit SqliteReader(Database db) : db_(std::move(db)) {}

  absl::StatusOr<std::vector<AgentRow>> Agents() override { return ReadAgents(db_); }

  absl::Status ForEachSpan(Instant from, Instant to,
                           const std::function<void(const Span&)>& visit) override {
    // Both reads see one committed state.
    if (auto status = db_.Execute("BEGIN"); !status.ok()) return status;
    auto status = Visit(from, to, visit);
    if (auto end = db_.Execute("COMMIT"); status.ok()) status = end;
    return status;
  }

 private:
  using OpenKey = std::pair<std::string, std::pair<int64_t, int>>;  // host/check, (since, state)

  absl::Status Visit(Instant from, Instant to, const std::function<void(const Span&)>& visit) {
    auto agents = ReadAgents(db_);
    if (!agents.ok()) return agents.status();
    std::map<OpenKey, Instant> open;
    for (const AgentRow& agent : *agents) {
      for (const StoredOpenRun& run : agent.runs) {
        open[{agent.host + "/" + run.check,
              {ToUnixMillis(run.since), static_cast<int>(run.state)}}] = run.last + run.valid_for;
      }
    }
    // The newest piece of an open run may end later than its row says, so open runs are looked at
    // whatever their stored end; `last_piece` marks the one that may grow.
    auto select = db_.Prepare(R"sql(
        SELECT c.host, c.name, s.state, s.from_ms, s.to_ms, s.recorded_at_ms, s.reason, s.since_ms,
               NOT EXISTS (SELECT 1 FROM spans p WHERE p.check_id = s.check_id AND
                           p.since_ms = s.since_ms AND p.state = s.state AND p.from_ms > s.from_ms)
        FROM spans s JOIN checks c ON c.id = s.check_id
        WHERE s.from_ms < ?1 AND NOT (s.from_ms > s.since_ms AND EXISTS (
          SELECT 1 FROM spans n WHERE n.check_id = s.check_id AND n.since_ms > s.since_ms AND
          n.since_ms <= s.from_ms))
        ORDER BY c.host, c.name, s.from_ms, s.state)sql");
    if (!select.ok()) return select.status();
    select->Bind(1, ToUnixMillis(to));
    for (;;) {
      const auto row = select->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      Span span;
      span.host = select->Text(0);
      span.check = select->Text(1);
      const int64_t state = select->Int(2);
      span.gap = state == kGapState;
      span.state = span.gap ? State::kUnknown : static_cast<State>(state);
      span.from = FromUnixMillis(select->Int(3));
      span.to = FromUnixMillis(select->Int(4));
      span.recorded_at = FromUnixMillis(select->Int(5));
      span.reason = select->Text(6);
      if (select->Int(8) != 0) {
        const auto found =
            open.find({span.host + "/" + span.check, {select->Int(7), static_cast<int>(state)}});
        if (found != open.end()) span.to = std::max(span.to, found->second);
      }
      if (span.to > from) visit(span);
    }
  }

  Database db_;
};

class SqliteLedger : public Ledger {
 public:
  SqliteLedger(Database db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}

  absl::Status Prepare() {
    const auto version = db_.QueryInt("PRAGMA user_version");
    if (!version.ok()) return version.status();
    if (*version > kSchemaVersion) {
      return absl::FailedPreconditionError(absl::StrCat(path_, " has schema ", *version,
                                                        ", newer than this program's ",
                                                        kSchemaVersion, "; run the newer program"));
    }
    if (auto status = db_.Execute(kPragmas); !status.ok()) return status;
    if (*version == 0) {
      if (auto status = db_.Execute(kSchema); !status.ok()) return status;
      auto insert = db_.Prepare("INSERT INTO meta VALUES ('ledger_id', ?1)");
      if (!insert.ok()) return insert.status();
      insert->Bind(1, RandomId());
      if (auto status = insert->Run(); !status.ok()) return status;
    }
    auto id = db_.QueryText("SELECT value FROM meta WHERE key = 'ledger_id'");
    if (!id.ok()) return id.status();
    id_ = *id;
    const auto newest = db_.QueryInt("SELECT coalesce(max(recorded_at_ms), 0) FROM spans");
    if (!newest.ok()) return newest.status();
    newest_record_ms_ = *newest;
    Measure();
    return PrepareStatements();
  }

  absl::Status Commit(const Batch& batch, Instant now) override {
    const Instant recorded = std::max(now, newest_record());  // never decreases in a ledger
    if (auto status = db_.Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
    auto status = Apply(batch, recorded);
    if (status.ok()) status = db_.Execute("COMMIT");
    if (!status.ok()) {
      // A failed COMMIT may have rolled back already; then this fails, and that is fine.
      db_.Execute("ROLLBACK").IgnoreError();
      check_ids_.clear();  // ids made in the failed transaction do not exist
      return status;
    }
    if (!batch.runs.empty() || !batch.gaps.empty()) newest_record_ms_ = ToUnixMillis(recorded);
    Measure();
    return absl::OkStatus();
  }

  const std::string& id() const override { return id_; }
  Instant newest_record() const override { return FromUnixMillis(newest_record_ms_); }

  uint64_t bytes() const override { return bytes_; }

  absl::StatusOr<std::unique_ptr<LedgerReader>> OpenReader() const override {
    return OpenSqliteReader(path_);
  }

 private:
  // The file's size, for whoever asks from another thread.
  void Measure() {
    const auto pages = db_.QueryInt("PRAGMA page_count");
    const auto size = db_.QueryInt("PRAGMA page_size");
    if (pages.ok() && size.ok()) bytes_ = static_cast<uint64_t>(*pages * *size);
  }

  absl::Status PrepareStatements() {
    const std::pair<Statement*, const char*> statements[] = {
        {&find_check_, "SELECT id FROM checks WHERE host = ?1 AND name = ?2"},
        {&add_check_, "INSERT INTO checks (host, name) VALUES (?1, ?2) RETURNING id"},
        {&last_piece_,
         "SELECT from_ms, to_ms FROM spans WHERE check_id = ?1 AND since_ms = ?2 AND state = ?3 "
         "ORDER BY from_ms DESC LIMIT 1"},
        {&add_piece_,
         "INSERT INTO spans (check_id, since_ms, state, from_ms, to_ms, recorded_at_ms, reason) "
         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
        {&grow_piece_,
         "UPDATE spans SET to_ms = ?5 WHERE check_id = ?1 AND since_ms = ?2 AND state = ?3 AND "
         "from_ms = ?4"},
        {&put_agent_,
         "INSERT INTO agents (host, municipality, last_seen_ms, version, os, interval_ms, runs, "
         "watermarks) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (host) DO UPDATE SET "
         "last_seen_ms = ?3, version = ?4, os = ?5, interval_ms = ?6, runs = ?7, watermarks = ?8"},
    };
    for (const auto& [statement, sql] : statements) {
      auto prepared = db_.Prepare(sql);
      if (!prepared.ok()) return prepared.status();
      *statement = *std::move(prepared);
    }
    return absl::OkStatus();
  }

  absl::Status Apply(const Batch& batch, Instant now) {
    for (const RunWrite& run : batch.runs) {
      if (auto status = PutRun(run, now); !status.ok()) return status;
    }
    for (const GapWrite& gap : batch.gaps) {
      if (auto status = PutGap(gap, now); !status.ok()) return status;
    }
    for (const AgentRow& agent : batch.agents) {
      if (auto status = PutAgent(agent); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status PutRun(const RunWrite& run, Instant now) {
    const auto check = CheckId(run.host, run.check);
    if (!check.ok()) return check.status();
    const auto state = static_cast<int64_t>(run.state);
    return PutPiece(*check, state, run.since, run.to, now, run.grow_in_place, "");
  }

  absl::Status PutGap(const GapWrite& gap, Instant now) {
    const auto check = CheckId(gap.host, gap.check);
    if (!check.ok()) return check.status();
    return PutPiece(*check, kGapState, gap.from, gap.to, now, false, gap.reason);
  }

  absl::Status PutPiece(int64_t check, int64_t state, Instant since, Instant to, Instant now,
                        bool grow_in_place, const std::string& reason) {
    BindKey(last_piece_, check, since, state);
    const auto found = last_piece_.Step();
    if (!found.ok()) return found.status();
    const int64_t piece_from = *found ? last_piece_.Int(0) : ToUnixMillis(since);
    const int64_t piece_to = *found ? last_piece_.Int(1) : ToUnixMillis(since);
    last_piece_.Reset();
    if (ToUnixMillis(to) <= piece_to) return absl::OkStatus();
    if (*found && (grow_in_place || FromUnixMillis(piece_to) >= now)) {
      BindKey(grow_piece_, check, since, state);
      grow_piece_.Bind(4, piece_from);
      grow_piece_.Bind(5, ToUnixMillis(to));
      return grow_piece_.Run();
    }
    BindKey(add_piece_, check, since, state);
    add_piece_.Bind(4, piece_to);
    add_piece_.Bind(5, ToUnixMillis(to));
    add_piece_.Bind(6, ToUnixMillis(now));
    add_piece_.Bind(7, reason);
    return add_piece_.Run();
  }

  static void BindKey(Statement& statement, int64_t check, Instant since, int64_t state) {
    statement.Bind(1, check);
    statement.Bind(2, ToUnixMillis(since));
    statement.Bind(3, state);
  }

  absl::Status PutAgent(const AgentRow& agent) {
    put_agent_.Bind(1, agent.host);
    put_agent_.Bind(2, agent.municipality);
    put_agent_.Bind(3, ToUnixMillis(agent.last_seen));
    put_agent_.Bind(4, agent.version);
    put_agent_.Bind(5, agent.os);
    put_agent_.Bind(6, agent.interval.count());
    put_agent_.Bind(7, PackRuns(agent.runs));
    put_agent_.Bind(8, PackWatermarks(agent.watermarks));
    return put_agent_.Run();
  }

  absl::StatusOr<int64_t> CheckId(const std::string& host, const std::string& name) {
    const std::string key = host + "/" + name;
    if (const auto known = check_ids_.find(key); known != check_ids_.end()) return known->second;
    for (Statement* statement : {&find_check_, &add_check_}) {
      statement->Bind(1, host);
      statement->Bind(2, name);
      const auto row = statement->Step();
      if (!row.ok()) return row.status();
      if (!*row) continue;
      const int64_t id = statement->Int(0);
      statement->Reset();
      check_ids_[key] = id;
      return id;
    }
    return absl::InternalError("ledger: no id for a new check");
  }

  Database db_;
  std::string path_;
  std::string id_;
  std::atomic<int64_t> newest_record_ms_{0};
  std::atomic<uint64_t> bytes_{0};
  Statement find_check_, add_check_, last_piece_, add_piece_, grow_piece_, put_agent_;
  std::map<std::string, int64_t> check_ids_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Ledger>> OpenSqliteLedger(const std::string& path) {
  auto db = Database::Open(path, /*read_only=*/false);
  if (!db.ok()) return db.status();
  auto ledger = std::make_unique<SqliteLedger>(*std::move(db), path);
  if (auto status = ledger->Prepare(); !status.ok()) return status;
  return ledger;
}

absl::StatusOr<std::unique_ptr<LedgerReader>> OpenSqliteReader(const std::string& path) {
  auto db = Database::Open(path, /*read_only=*/true);
  if (!db.ok()) return db.status();
  return std::make_unique<SqliteReader>(*std::move(db));
}

}  // namespace oppetid::collector
