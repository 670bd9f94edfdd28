#include "collector/sla/backups.h"

#include <algorithm>

namespace oppetid::collector {

std::vector<BackupRun> Successes(const std::vector<BackupRun>& runs, bool restore_test,
                                 AsKnownAt as_known_at) {
  std::vector<BackupRun> out;
  for (const BackupRun& run : runs) {
    if (run.success && run.restore_test == restore_test && Known(run.recorded_at, as_known_at)) {
      out.push_back(run);
    }
  }
  return out;
}

BackupFigures Compliance(const std::vector<BackupRun>& successes, Millis objective, Percent target,
                         Interval period) {
  // The age counts from the greatest start among the runs that have ended, so an instant is within
  // exactly when it lies in the interval of any of them: the union is the definition.
  Instant first = kForever;
  Intervals fresh;
  for (const BackupRun& run : successes) {
    first = std::min(first, run.end);
    fresh.push_back({run.end, run.start + objective});
  }
  const Intervals whole = Normalise({period});
  const Intervals known = Intersect(whole, Normalise({{first, kForever}}));
  const Intervals within = Intersect(Normalise(std::move(fresh)), known);
  BackupFigures figures;
  figures.within_ms = Length(within).count();
  figures.over_ms = Length(known).count() - figures.within_ms;
  figures.unknown_ms = Length(whole).count() - Length(known).count();
  figures.verdict = VerdictOf({figures.within_ms, figures.over_ms, figures.unknown_ms}, target,
                              UnknownMode::kBounds);
  return figures;
}

}  // namespace oppetid::collector
