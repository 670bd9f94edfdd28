#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "collector/ledger/packing.h"
#include "collector/ledger/schema.h"
#include "collector/ledger/sqlite.h"
#include "collector/ledger/sqlite_db.h"
#include "collector/ledger/sqlite_tickets.h"

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
    const std::string runs = select->Text(6);
    agent.runs = UnpackRuns(runs);
    agent.losses = UnpackLosses(runs);
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

  absl::Status ForEachTicket(Instant before,
                             const std::function<void(const Ticket&)>& visit) override {
    return Together([&] { return ReadTickets(db_, before, visit); });
  }

  absl::StatusOr<std::optional<Ticket>> FindTicket(const std::string& id) override {
    std::optional<Ticket> found;
    const absl::Status status = Together([&] { return ReadTicket(db_, id, &found); });
    if (!status.ok()) return status;
    return found;
  }

  absl::StatusOr<std::vector<SourceCursor>> SourceCursors() override {
    return ReadSourceCursors(db_);
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

  // A transaction that ends with the connection.
  absl::Status Freeze() override {
    if (frozen_) return absl::OkStatus();
    auto status = db_.Execute("BEGIN");
    frozen_ = status.ok();
    return status;
  }

  absl::Status ForEachSpan(Instant from, Instant to,
                           const std::function<void(const StoredSpan&)>& visit) override {
    return Together([&] { return Visit(from, to, nullptr, nullptr, visit); });
  }

  absl::Status ForEachSpanOf(const std::string& host, const std::string& check,
                             const std::function<void(const StoredSpan&)>& visit) override {
    return Together([&] {
      return Visit(FromUnixMillis(INT64_MIN), FromUnixMillis(INT64_MAX), &host, &check, visit);
    });
  }

 private:
  // All that `work` reads is of one committed state.
  absl::Status Together(const std::function<absl::Status()>& work) {
    if (frozen_) return work();
    if (auto status = db_.Execute("BEGIN"); !status.ok()) return status;
    auto status = work();
    if (auto end = db_.Execute("COMMIT"); status.ok()) status = end;
    return status;
  }

  // Of all checks, or of `host`'s `check`.
  absl::Status Visit(Instant from, Instant to, const std::string* host, const std::string* check,
                     const std::function<void(const StoredSpan&)>& visit) {
    auto agents = ReadAgents(db_);
    if (!agents.ok()) return agents.status();
    OpenRuns open;
    for (const AgentRow& agent : *agents) {
      for (const StoredOpenRun& run : agent.runs) {
        open[{agent.host + "/" + run.check,
              {ToUnixMillis(run.since), static_cast<int>(run.state)}}] = run.last + run.valid_for;
      }
    }
    auto checks =
        db_.Prepare(host == nullptr ? "SELECT id, host, name FROM checks ORDER BY host, name"
                                    : "SELECT id, host, name FROM checks WHERE host = ?1 AND "
                                      "name = ?2");
    if (!checks.ok()) return checks.status();
    if (host != nullptr) {
      checks->Bind(1, *host);
      checks->Bind(2, *check);
    }
    auto pieces = db_.Prepare(
        "SELECT since_ms, state, from_ms, to_ms, recorded_at_ms, reason FROM spans "
        "WHERE check_id = ?1 AND since_ms < ?2 AND from_ms < ?2");
    if (!pieces.ok()) return pieces.status();
    for (;;) {
      const auto row = checks->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      pieces->Bind(1, checks->Int(0));
      pieces->Bind(2, ToUnixMillis(to));
      auto read = ReadPieces(*pieces);
      if (!read.ok()) return read.status();
      if (auto status =
              Extend(checks->Int(0), checks->Text(1) + "/" + checks->Text(2), open, *read);
          !status.ok()) {
        return status;
      }
      VisitPieces(checks->Text(1), checks->Text(2), from, *read, visit);
    }
  }

  struct Piece {
    int64_t since, state, from, to, recorded_at;
    std::string reason;
  };
  // By full name, since and state; when they run out.
  using OpenRuns = std::map<std::pair<std::string, std::pair<int64_t, int>>, Instant>;

  // By from, state and since.
  static absl::StatusOr<std::vector<Piece>> ReadPieces(Statement& select) {
    std::vector<Piece> pieces;
    for (;;) {
      const auto row = select.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      pieces.push_back({select.Int(0), select.Int(1), select.Int(2), select.Int(3), select.Int(4),
                        select.Text(5)});
    }
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
      return std::tie(a.from, a.state, a.since) < std::tie(b.from, b.state, b.since);
    });
    return pieces;
  }

  // The newest piece of an open run may end later than its row says.
  absl::Status Extend(int64_t check, const std::string& name, const OpenRuns& open,
                      std::vector<Piece>& pieces) {
    for (auto it = open.lower_bound({name, {INT64_MIN, 0}});
         it != open.end() && it->first.first == name; ++it) {
      const auto [since, state] = it->first.second;
      auto last = db_.Prepare(
          "SELECT max(from_ms) FROM spans WHERE check_id = ?1 AND since_ms = ?2 AND state = ?3");
      if (!last.ok()) return last.status();
      last->Bind(1, check);
      last->Bind(2, since);
      last->Bind(3, static_cast<int64_t>(state));
      const auto row = last->Step();
      if (!row.ok()) return row.status();
      for (Piece& piece : pieces) {
        if (piece.since == since && piece.state == state && *row && piece.from == last->Int(0)) {
          piece.to = std::max(piece.to, ToUnixMillis(it->second));
        }
      }
    }
    return absl::OkStatus();
  }

  static void VisitPieces(const std::string& host, const std::string& check, Instant from,
                          const std::vector<Piece>& pieces,
                          const std::function<void(const StoredSpan&)>& visit) {
    std::vector<int64_t> starts;  // of all runs
    for (const Piece& piece : pieces) starts.push_back(piece.since);
    std::sort(starts.begin(), starts.end());
    bool touched = false;
    StoredSpan span;
    span.host = host;
    span.check = check;
    for (const Piece& piece : pieces) {
      // A piece of its own, and another run has begun between the start of its run and its own.
      const bool overtaken =
          piece.from > piece.since &&
          *std::prev(std::upper_bound(starts.begin(), starts.end(), piece.from)) > piece.since;
      if (overtaken) continue;
      touched = touched || FromUnixMillis(piece.to) > from;
      if (!touched) continue;
      span.gap = piece.state == kGapState;
      span.state = span.gap ? State::kUnknown : static_cast<State>(piece.state);
      span.from = FromUnixMillis(piece.from);
      span.to = FromUnixMillis(piece.to);
      span.recorded_at = FromUnixMillis(piece.recorded_at);
      span.reason = piece.reason;
      visit(span);
    }
  }

  bool frozen_ = false;
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
