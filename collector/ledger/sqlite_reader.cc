#include <algorithm>
#include <map>
#include <utility>

#include "collector/ledger/packing.h"
#include "collector/ledger/schema.h"
#include "collector/ledger/sqlite.h"
#include "collector/ledger/sqlite_db.h"

namespace oppetid::collector {
namespace {

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

  absl::Status ForEachBackupRun(const std::function<void(const StoredBackupRun&)>& visit) override {
    auto select = db_.Prepare(
        "SELECT host, job, restore_test, start_ms, end_ms, success, bytes, files, recorded_at_ms "
        "FROM backup_runs ORDER BY host, job, restore_test, start_ms");
    if (!select.ok()) return select.status();
    for (;;) {
      const auto row = select->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      StoredBackupRun run;
      run.host = select->Text(0);
      run.job = select->Text(1);
      run.restore_test = select->Int(2) != 0;
      run.start = FromUnixMillis(select->Int(3));
      run.end = FromUnixMillis(select->Int(4));
      run.success = select->Int(5) != 0;
      run.bytes = static_cast<uint64_t>(select->Int(6));
      run.files = static_cast<uint64_t>(select->Int(7));
      run.recorded_at = FromUnixMillis(select->Int(8));
      visit(run);
    }
  }

  absl::Status ForEachAct(uint64_t first, const std::function<void(const Act&)>& visit) override {
    auto select = db_.Prepare(
        "SELECT number, at_ms, kind, who, on_behalf_of, body, hash FROM acts WHERE number >= ?1 "
        "ORDER BY number");
    if (!select.ok()) return select.status();
    select->Bind(1, static_cast<int64_t>(first));
    for (;;) {
      const auto row = select->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      visit({static_cast<uint64_t>(select->Int(0)), FromUnixMillis(select->Int(1)), select->Text(2),
             select->Text(3), select->Text(4), select->Text(5), select->Text(6)});
    }
  }

  absl::Status ForEachSpan(Instant from, Instant to,
                           const std::function<void(const StoredSpan&)>& visit) override {
    // Both reads see one committed state.
    if (auto status = db_.Execute("BEGIN"); !status.ok()) return status;
    auto status = Visit(from, to, visit);
    if (auto end = db_.Execute("COMMIT"); status.ok()) status = end;
    return status;
  }

 private:
  using OpenKey = std::pair<std::string, std::pair<int64_t, int>>;  // host/check, (since, state)

  absl::Status Visit(Instant from, Instant to,
                     const std::function<void(const StoredSpan&)>& visit) {
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
      StoredSpan span;
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

}  // namespace

absl::StatusOr<std::unique_ptr<LedgerReader>> OpenSqliteReader(const std::string& path) {
  auto db = Database::Open(path, /*read_only=*/true);
  if (!db.ok()) return db.status();
  if (auto status = CheckSchema(*db, path); !status.ok()) return status;
  return std::make_unique<SqliteReader>(*std::move(db));
}

}  // namespace oppetid::collector
