#include "collector/ledger/sqlite.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/ledger/packing.h"
#include "collector/ledger/reserve.h"
#include "collector/ledger/schema.h"
#include "collector/ledger/sqlite_db.h"
#include "collector/ledger/sqlite_tickets.h"

namespace oppetid::collector {
namespace {

class SqliteLedger : public Ledger {
 public:
  SqliteLedger(Database db, std::string path)
      : db_(std::move(db)), path_(std::move(path)), reserve_(path_ + ".reserve") {}

  absl::Status Prepare() {
    if (auto status = Migrate(db_, path_); !status.ok()) return status;
    auto id = db_.QueryText("SELECT value FROM meta WHERE key = 'ledger_id'");
    if (!id.ok()) return id.status();
    id_ = *id;
    const auto newest = db_.QueryInt(
        "SELECT max((SELECT coalesce(max(recorded_at_ms), 0) FROM spans),"
        " (SELECT coalesce(max(recorded_at_ms), 0) FROM backup_runs),"
        " (SELECT coalesce(max(recorded_at_ms), 0) FROM ticket_events),"
        " (SELECT coalesce(max(at_ms), 0) FROM acts))");
    if (!newest.ok()) return newest.status();
    newest_record_ms_ = *newest;
    if (auto status = ReadChainHead(); !status.ok()) return status;
    Measure();
    return PrepareStatements();
  }

  absl::Status Commit(const Batch& batch, Instant now) override {
    absl::Status status = CommitOnce(batch, now);
    // What people decide, and what is said to be lost, still finds room on a full disk.
    if (absl::IsResourceExhausted(status) && batch.runs.empty() && reserve_.Release()) {
      status = CommitOnce(batch, now);
    }
    if (status.ok()) reserve_.Keep(now);
    return status;
  }

  const std::string& id() const override { return id_; }
  Instant newest_record() const override { return FromUnixMillis(newest_record_ms_); }

  uint64_t bytes() const override { return bytes_; }
  const ChainHead& chain_head() const override { return head_; }

  absl::StatusOr<std::unique_ptr<LedgerReader>> OpenReader() const override {
    return OpenSqliteReader(path_);
  }

 private:
  absl::Status CommitOnce(const Batch& batch, Instant now) {
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
    Instant newest = newest_record();
    if (!batch.runs.empty() || !batch.gaps.empty() || !batch.backups.empty() ||
        !batch.tickets.empty()) {
      newest = recorded;
    }
    if (!batch.acts.empty()) {
      head_ = {batch.acts.back().number, batch.acts.back().hash};
      newest = std::max(newest, batch.acts.back().at);
    }
    newest_record_ms_ = ToUnixMillis(newest);
    Measure();
    return absl::OkStatus();
  }

  // The file's size, for whoever asks from another thread.
  void Measure() {
    const auto pages = db_.QueryInt("PRAGMA page_count");
    const auto size = db_.QueryInt("PRAGMA page_size");
    if (pages.ok() && size.ok()) bytes_ = static_cast<uint64_t>(*pages * *size);
  }

  absl::Status ReadChainHead() {
    auto last = db_.Prepare("SELECT number, hash FROM acts ORDER BY number DESC LIMIT 1");
    if (!last.ok()) return last.status();
    const auto row = last->Step();
    if (!row.ok()) return row.status();
    if (*row) head_ = {static_cast<uint64_t>(last->Int(0)), last->Text(1)};
    return absl::OkStatus();
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
        {&put_backup_,
         "INSERT INTO backup_runs (host, job, restore_test, start_ms, end_ms, success, bytes, "
         "files, recorded_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
         "ON CONFLICT DO UPDATE SET end_ms = ?5, success = ?6, bytes = ?7, files = ?8 "
         "WHERE (?5, -?6) > (end_ms, -success)"},
        {&add_act_,
         "INSERT INTO acts (number, at_ms, kind, who, on_behalf_of, body, hash) "
         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
    };
    for (const auto& [statement, sql] : statements) {
      auto prepared = db_.Prepare(sql);
      if (!prepared.ok()) return prepared.status();
      *statement = *std::move(prepared);
    }
    return tickets_.Prepare(db_);
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
    for (const BackupRunWrite& run : batch.backups) {
      if (auto status = PutBackup(run, now); !status.ok()) return status;
    }
    for (const TicketWrite& ticket : batch.tickets) {
      if (auto status = tickets_.Put(ticket, now); !status.ok()) return status;
    }
    for (const SourceCursor& cursor : batch.cursors) {
      if (auto status = tickets_.PutCursor(cursor); !status.ok()) return status;
    }
    ChainHead head = head_;
    for (const Act& act : batch.acts) {
      if (auto status = AddAct(act, &head); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status PutBackup(const BackupRunWrite& run, Instant now) {
    put_backup_.Bind(1, run.host);
    put_backup_.Bind(2, run.job);
    put_backup_.Bind(3, static_cast<int64_t>(run.restore_test));
    put_backup_.Bind(4, ToUnixMillis(run.start));
    put_backup_.Bind(5, ToUnixMillis(run.end));
    put_backup_.Bind(6, static_cast<int64_t>(run.success));
    put_backup_.Bind(7, static_cast<int64_t>(run.bytes));
    put_backup_.Bind(8, static_cast<int64_t>(run.files));
    put_backup_.Bind(9, ToUnixMillis(now));
    return put_backup_.Run();
  }

  absl::Status AddAct(const Act& act, ChainHead* head) {
    if (act.number != head->number + 1 || act.hash != ChainHash(head->hash, act)) {
      return absl::FailedPreconditionError("ledger: this act does not continue the audit chain");
    }
    add_act_.Bind(1, static_cast<int64_t>(act.number));
    add_act_.Bind(2, ToUnixMillis(act.at));
    add_act_.Bind(3, act.kind);
    add_act_.Bind(4, act.who);
    add_act_.Bind(5, act.on_behalf_of);
    add_act_.Bind(6, act.body);
    add_act_.Bind(7, act.hash);
    *head = {act.number, act.hash};
    return add_act_.Run();
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
    put_agent_.Bind(7, PackRuns(agent.runs) + PackLosses(agent.losses));
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
  Reserve reserve_;
  std::string id_;
  std::atomic<int64_t> newest_record_ms_{0};
  std::atomic<uint64_t> bytes_{0};
  Statement find_check_, add_check_, last_piece_, add_piece_, grow_piece_, put_agent_, put_backup_,
      add_act_;
  TicketTables tickets_;
  ChainHead head_;
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

}  // namespace oppetid::collector
