// The agreements' figures in /metrics: oppetid_service_state and oppetid_sla_*.
//
// The settled part is computed on the pool, from the ledger, at every full hour, when people decide
// something, and when a fact is learnt late; everything newer comes from what the hub stores and
// knows. A check's change is in the next scrape.
// Threading: the hub's thread; the reading and settling runs on the pool. Lifetime: what the
// constructor takes outlives this; a job under way holds no reference to it but through the
// executor's thread, so the pool must be empty before destruction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "collector/ledger/ledger.h"
#include "collector/reach.h"
#include "collector/sla/backups.h"
#include "collector/sla/live.h"
#include "collector/view.h"
#include "common/async.h"
#include "common/clock.h"

namespace oppetid::collector {

// What was agreed and decided; no catalogue where none has been applied.
struct Agreed {
  std::shared_ptr<const Catalogue> catalogue;
  Facts decisions;
};

class LiveSla {
 public:
  using GetAgreed = std::function<Agreed()>;  // on the hub's thread

  LiveSla(const Ledger& ledger, const Clock& clock, BlockingPool& pool,
          boost::asio::any_io_executor executor, GetAgreed agreed);

  // Somebody decided something: it shows with the next Tick.
  void OnAgreed() {
    stale_ = true;
    next_try_ = {};
  }
  // The hub has stored this.
  void OnStored(const Batch& batch);
  // Starts settling anew where that is due. Call about once a second.
  void Tick();

  // The families as text format 0.0.4, of the services delivered to `reach`; empty while nothing is
  // settled yet, or where the ledger could not be read for so long that figures would mislead.
  std::string Render(const View& view, const Reach& reach);

 private:
  using BackupRuns = std::map<std::string, std::vector<BackupRun>, std::less<>>;  // by job
  // What the ledger gives for it.
  struct Read {
    Settled settled;
    BackupRuns backups;
  };
  static absl::StatusOr<Read> ReadAndSettle(const Ledger& ledger, Agreed agreed, Instant now);
  void Learn(const std::string& check, const Span& span);
  void OnSettled(absl::StatusOr<Read> read);
  void RenderBackups(Instant now, const Reach& reach, std::string* out) const;
  const std::vector<LiveRow>& Rows(const View& view);

  const Ledger& ledger_;
  const Clock& clock_;
  BlockingPool& pool_;
  boost::asio::any_io_executor executor_;
  GetAgreed agreed_;
  bool stale_ = true;  // what is settled is not what it would be now
  bool settling_ = false;
  bool failed_ = false;  // the last time; told once
  Steady next_try_{};
  std::optional<Settled> settled_;
  Steady settled_at_{};
  SpansByCheck tail_;     // settled_->tail, and what was stored since
  SpansByCheck arrived_;  // stored while settling, for the tail to come
  BackupRuns backups_;    // of the ledger, and what was stored since
  BackupRuns arrived_backups_;
  // The rows of the newest instant asked for: a scrape asks once a municipality.
  Instant rows_at_;
  std::vector<LiveRow> rows_;
};

}  // namespace oppetid::collector
