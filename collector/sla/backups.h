// Backup compliance: the share of a period in which the newest recoverable state was young enough.
//
// Pure, safe from any thread.
#pragma once

#include <vector>

#include "collector/sla/facts.h"
#include "collector/sla/verdict.h"

namespace oppetid::collector {

struct BackupFigures {
  int64_t within_ms = 0;
  int64_t over_ms = 0;
  int64_t unknown_ms = 0;
  Verdict verdict = Verdict::kNotApplicable;
};

// The successful runs of one kind, as known then.
std::vector<BackupRun> Successes(const std::vector<BackupRun>& runs, bool restore_test,
                                 AsKnownAt as_known_at);

// Within is age <= objective, half-open: [end, start + objective) of any successful run. Before the
// earliest end of a successful run nothing is known.
BackupFigures Compliance(const std::vector<BackupRun>& successes, Millis objective, Percent target,
                         Interval period);

}  // namespace oppetid::collector
