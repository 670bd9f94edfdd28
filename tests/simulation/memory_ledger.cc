#include "tests/simulation/memory_ledger.h"

#include <algorithm>

namespace oppetid::simulation {
namespace {

using collector::AgentRow;
using collector::Batch;
using collector::ChainHead;
using collector::StoredSpan;

class Reader : public collector::LedgerReader {
 public:
  explicit Reader(std::shared_ptr<const LedgerImage> image) : image_(std::move(image)) {}

  absl::StatusOr<std::vector<AgentRow>> Agents() override {
    std::vector<AgentRow> rows;
    for (const auto& [host, row] : image_->agents) rows.push_back(row);
    return rows;
  }

  absl::Status Freeze() override {
    image_ = std::make_shared<const LedgerImage>(*image_);
    return absl::OkStatus();
  }

  absl::Status ForEachSpan(Instant from, Instant to,
                           const std::function<void(const StoredSpan&)>& visit) override {
    for (const auto& [check, pieces] : image_->checks) {
      bool touched = false;
      for (const StoredSpan& span : Of(check, pieces)) {
        touched = touched || (span.from < to && span.to > from);
        if (touched && span.from < to) visit(span);
      }
    }
    return absl::OkStatus();
  }

  absl::Status ForEachSpanOf(const std::string& host, const std::string& check,
                             const std::function<void(const StoredSpan&)>& visit) override {
    const auto found = image_->checks.find({host, check});
    if (found == image_->checks.end()) return absl::OkStatus();
    for (const StoredSpan& span : Of(found->first, found->second)) visit(span);
    return absl::OkStatus();
  }

  absl::Status ForEachBackupRun(
      const std::function<void(const collector::StoredBackupRun&)>& visit) override {
    const auto backups = image_->backups;
    for (const auto& [key, run] : backups) visit(run);
    return absl::OkStatus();
  }

  // It has no tickets.
  absl::Status ForEachTicket(Instant,
                             const std::function<void(const collector::Ticket&)>&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<collector::Ticket>> FindTicket(const std::string&) override {
    return std::nullopt;
  }
  absl::StatusOr<std::vector<collector::SourceCursor>> SourceCursors() override {
    return std::vector<collector::SourceCursor>{};
  }

  absl::Status ForEachAct(uint64_t first,
                          const std::function<void(const collector::Act&)>& visit) override {
    const auto acts = image_->acts;
    for (const collector::Act& act : acts) {
      if (act.number >= first) visit(act);
    }
    return absl::OkStatus();
  }

 private:
  static int Order(const StoredSpan& span) {
    return span.gap ? LedgerImage::kGap : static_cast<int>(span.state);
  }

  // A copy: what is committed meanwhile is not in it.
  std::vector<StoredSpan> Of(const std::pair<std::string, std::string>& check,
                             const LedgerImage::Pieces& pieces) {
    std::vector<StoredSpan> spans;
    for (const auto& [key, parts] : pieces) AddRun(check, pieces, key, parts, &spans);
    std::stable_sort(spans.begin(), spans.end(), [](const StoredSpan& a, const StoredSpan& b) {
      return std::pair(a.from, Order(a)) < std::pair(b.from, Order(b));
    });
    return spans;
  }

  void AddRun(const std::pair<std::string, std::string>& check, const LedgerImage::Pieces& pieces,
              const LedgerImage::Key& key, const std::vector<LedgerPiece>& parts,
              std::vector<StoredSpan>* spans) {
    for (const LedgerPiece& part : parts) {
      const auto later = pieces.upper_bound({key.first, LedgerImage::kGap});
      const bool overtaken =
          part.from > key.first && later != pieces.end() && later->first.first <= part.from;
      if (overtaken) continue;
      StoredSpan span;
      span.host = check.first;
      span.check = check.second;
      span.gap = key.second == LedgerImage::kGap;
      span.state = span.gap ? State::kUnknown : static_cast<State>(key.second);
      span.from = FromUnixMillis(part.from);
      span.to = FromUnixMillis(part.to);
      if (&part == &parts.back()) span.to = std::max(span.to, OpenUntil(check, key));
      span.recorded_at = FromUnixMillis(part.recorded_at);
      span.reason = part.reason;
      spans->push_back(std::move(span));
    }
  }

  // What the agent's row knows of the run, if it is an open one.
  Instant OpenUntil(const std::pair<std::string, std::string>& check,
                    const LedgerImage::Key& key) const {
    const auto agent = image_->agents.find(check.first);
    if (agent == image_->agents.end()) return {};
    for (const collector::StoredOpenRun& run : agent->second.runs) {
      if (run.check == check.second && ToUnixMillis(run.since) == key.first &&
          static_cast<int>(run.state) == key.second) {
        return run.last + run.valid_for;
      }
    }
    return {};
  }

  std::shared_ptr<const LedgerImage> image_;
};

class MemoryLedger : public collector::Ledger {
 public:
  explicit MemoryLedger(std::shared_ptr<LedgerImage> image) : image_(std::move(image)) {
    if (!image_->acts.empty()) head_ = {image_->acts.back().number, image_->acts.back().hash};
  }

  absl::Status Commit(const Batch& batch, Instant now) override {
    if (image_->full) return absl::ResourceExhaustedError("ledger: full");
    ChainHead head = head_;
    for (const collector::Act& act : batch.acts) {
      if (act.number != head.number + 1 || act.hash != collector::ChainHash(head.hash, act)) {
        return absl::FailedPreconditionError("this act does not continue the audit chain");
      }
      head = {act.number, act.hash};
    }
    const int64_t recorded = std::max(ToUnixMillis(now), image_->newest_record);
    for (const collector::RunWrite& run : batch.runs) {
      Put({run.host, run.check}, {ToUnixMillis(run.since), static_cast<int>(run.state)}, run.to,
          recorded, run.grow_in_place, "");
    }
    for (const collector::GapWrite& gap : batch.gaps) {
      Put({gap.host, gap.check}, {ToUnixMillis(gap.from), LedgerImage::kGap}, gap.to, recorded,
          false, gap.reason);
    }
    for (const AgentRow& row : batch.agents) {
      const auto [at, added] = image_->agents.emplace(row.host, row);
      if (added) continue;
      const std::string municipality = at->second.municipality;
      at->second = row;
      at->second.municipality = municipality;
    }
    for (const collector::BackupRunWrite& run : batch.backups) PutBackup(run, recorded);
    image_->acts.insert(image_->acts.end(), batch.acts.begin(), batch.acts.end());
    head_ = head;
    if (!batch.runs.empty() || !batch.gaps.empty() || !batch.backups.empty()) {
      image_->newest_record = recorded;
    }
    for (const collector::Act& act : batch.acts) {
      image_->newest_record = std::max(image_->newest_record, ToUnixMillis(act.at));
    }
    return absl::OkStatus();
  }

  const std::string& id() const override { return image_->id; }
  Instant newest_record() const override { return FromUnixMillis(image_->newest_record); }
  uint64_t bytes() const override { return 1 + image_->checks.size(); }
  const ChainHead& chain_head() const override { return head_; }
  absl::StatusOr<std::unique_ptr<collector::LedgerReader>> OpenReader() const override {
    return std::make_unique<Reader>(image_);
  }

 private:
  void PutBackup(const collector::BackupRunWrite& run, int64_t now) {
    collector::StoredBackupRun stored{run, FromUnixMillis(now)};
    const LedgerImage::BackupKey key{run.host, run.job, run.restore_test, ToUnixMillis(run.start)};
    const auto [at, added] = image_->backups.emplace(key, stored);
    if (added) return;
    collector::StoredBackupRun& known = at->second;
    const bool later = run.end > known.end;
    if (later || (run.end == known.end && known.success && !run.success)) {
      static_cast<collector::BackupRunWrite&>(known) = run;
    }
  }

  void Put(const std::pair<std::string, std::string>& check, const LedgerImage::Key& key,
           Instant until, int64_t now, bool grow_in_place, const std::string& reason) {
    const int64_t to = ToUnixMillis(until);
    const auto known = image_->checks.find(check);
    const auto* parts = known == image_->checks.end() ? nullptr : &known->second;
    const bool found = parts != nullptr && parts->contains(key);
    const int64_t end = found ? parts->at(key).back().to : key.first;
    if (to <= end) return;
    auto& pieces = image_->checks[check][key];
    if (found && (grow_in_place || end >= now)) {
      pieces.back().to = to;
    } else {
      pieces.push_back({end, to, now, reason});
    }
  }

  std::shared_ptr<LedgerImage> image_;
  ChainHead head_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<collector::Ledger>> OpenMemoryLedger(
    std::shared_ptr<LedgerImage> image) {
  if (image->newer_schema) return absl::FailedPreconditionError("the ledger's schema is newer");
  return std::make_unique<MemoryLedger>(std::move(image));
}

}  // namespace oppetid::simulation
