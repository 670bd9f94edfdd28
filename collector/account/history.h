// The history of a period out of the ledger: every fact that a report of it needs, as
// history.jsonl.
//
// Spans uncut, back to the beginning of an outage that reaches into the period and on to the end of
// one that runs past it; decisions that touch what is exported; per backup job and kind the first
// successful run and the newest before the period. A report computed from these lines equals one
// computed from the whole ledger, as known at any instant from the period's start on.
// Threading: one thread. Memory is that of the facts; the text comes in pieces.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/ledger.h"
#include "collector/sla/catalogue.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

class History {
 public:
  // Reads one committed state through `reader`. `catalogue` (null: none) says which checks make a
  // service; `now`: nothing lies after it.
  static absl::StatusOr<History> Read(LedgerReader& reader, const Catalogue* catalogue,
                                      Interval period, Instant now);

  // Appends the next lines to `*out`; false when nothing is left.
  bool Next(std::string* out);

 private:
  // Of one check, in the order of their starts.
  using Spans = std::vector<StoredSpan>;

  explicit History(Interval period) : period_(period) {}
  absl::Status ReadSpans(LedgerReader& reader, const Catalogue* catalogue, const Facts& decisions,
                         Instant now);
  absl::Status Extend(LedgerReader& reader, const Catalogue& catalogue, const Facts& decisions,
                      bool look_on);
  absl::Status ReadBackups(LedgerReader& reader);
  void KeepDecisions(const Facts& decisions);
  void KeepBackups(const std::vector<StoredBackupRun>& runs);

  Interval period_;
  std::map<std::string, Spans> spans_;  // by check; gone from here once they are told
  Interval reach_;                      // of everything exported
  std::string tail_;                    // the lines of all that are no spans
  bool ended_ = false;
};

}  // namespace oppetid::collector
