// A ledger's reader over facts in memory, whose decisions are acts as people would have made them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/account/agreements.h"
#include "collector/account/fact_lines.h"
#include "collector/ledger/ledger.h"

namespace oppetid::collector {

// Appends an act that continues the chain.
inline void Append(std::vector<Act>& acts, Instant at, const std::string& kind,
                   const std::string& body, const std::string& who = "drift1",
                   const std::string& on_behalf_of = "") {
  Act act{acts.size() + 1, at, kind, who, on_behalf_of, body, ""};
  act.hash = ChainHash(acts.empty() ? "" : acts.back().hash, act);
  acts.push_back(act);
}

class PretendedLedger : public LedgerReader {
 public:
  PretendedLedger() = default;
  explicit PretendedLedger(const Facts& facts) {
    for (const auto& [check, of_check] : facts.spans) {
      const size_t slash = check.find('/');
      for (const Span& its : of_check) {
        spans.push_back({check.substr(0, slash), check.substr(slash + 1), its.state, its.from,
                         its.to, its.recorded_at, false, ""});
      }
    }
    std::stable_sort(spans.begin(), spans.end(), [](const StoredSpan& a, const StoredSpan& b) {
      return std::tie(a.host, a.check, a.from, a.state) <
             std::tie(b.host, b.check, b.from, b.state);
    });
    for (const auto& [job, of_job] : facts.backup_runs) {
      for (const BackupRun& its : of_job) {
        StoredBackupRun run;
        run.host = "h";
        run.job = job;
        run.restore_test = its.restore_test;
        run.start = its.start;
        run.end = its.end;
        run.success = its.success;
        run.recorded_at = its.recorded_at;
        backups.push_back(run);
      }
    }
    std::stable_sort(backups.begin(), backups.end(),
                     [](const StoredBackupRun& a, const StoredBackupRun& b) {
                       return std::tie(a.job, a.restore_test, a.start) <
                              std::tie(b.job, b.restore_test, b.start);
                     });
    AddDecisions(facts);
  }

  absl::StatusOr<std::vector<AgentRow>> Agents() override { return std::vector<AgentRow>{}; }
  absl::Status Freeze() override { return absl::OkStatus(); }
  absl::Status ForEachSpan(Instant from, Instant to,
                           const std::function<void(const StoredSpan&)>& visit) override {
    const StoredSpan* touched = nullptr;
    for (const StoredSpan& its : spans) {
      const bool same =
          touched != nullptr && touched->host == its.host && touched->check == its.check;
      if (its.from >= to || !(same || its.to > from)) continue;
      touched = &its;
      visit(its);
    }
    return absl::OkStatus();
  }
  absl::Status ForEachSpanOf(const std::string& host, const std::string& check,
                             const std::function<void(const StoredSpan&)>& visit) override {
    for (const StoredSpan& its : spans) {
      if (its.host == host && its.check == check) visit(its);
    }
    return absl::OkStatus();
  }
  absl::Status ForEachBackupRun(const std::function<void(const StoredBackupRun&)>& visit) override {
    for (const StoredBackupRun& its : backups) visit(its);
    return absl::OkStatus();
  }
  // It has no tickets.
  absl::Status ForEachTicket(Instant, const std::function<void(const Ticket&)>&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<Ticket>> FindTicket(const std::string&) override {
    return std::nullopt;
  }
  absl::StatusOr<std::vector<SourceCursor>> SourceCursors() override {
    return std::vector<SourceCursor>{};
  }
  absl::Status ForEachAct(uint64_t first, const std::function<void(const Act&)>& visit) override {
    for (const Act& act : acts) {
      if (act.number >= first) visit(act);
    }
    return absl::OkStatus();
  }

  std::vector<StoredSpan> spans;
  std::vector<StoredBackupRun> backups;
  std::vector<Act> acts;

 private:
  // The body of an act says what the line of the fact says, but for what the act itself holds.
  void AddDecisions(const Facts& facts) {
    std::map<std::string, std::string> id_of;
    for (const auto& [id, its] : facts.corrections) {
      Append(acts, its.recorded_at, acts::kCorrectionAdded, CorrectionJson(its));
      id_of[id] = absl::StrCat("c-", acts.size());
    }
    for (const auto& [id, its] : facts.maintenance) {
      Append(acts, its.recorded_at, acts::kMaintenanceAnnounced, MaintenanceJson(its));
      id_of[id] = absl::StrCat("m-", acts.size());
    }
    for (const Revocation& its : facts.revocations) {
      if (!id_of.contains(its.revokes)) continue;  // people cannot revoke what is not there
      Append(acts, its.recorded_at, acts::kCorrectionRevoked,
             "{\"revokes\":\"" + id_of[its.revokes] + "\",\"reason\":\"r\"}");
    }
  }
};

}  // namespace oppetid::collector
