// What people decided about time: corrections in force and maintenance that counts.
//
// Revoked facts, facts not yet known and scopes are dealt with here, once. Pure; must not outlive
// the facts. Safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "collector/sla/facts.h"
#include "collector/sla/steps.h"

namespace oppetid::collector {

class Overrides {
 public:
  // `facts` must outlive this.
  Overrides(const Facts& facts, AsKnownAt as_known_at);

  struct Winners {
    Steps<Override> any{Override::kNone};    // among all corrections: decides the class
    Steps<Override> state{Override::kNone};  // among those to up and down: decides the state
  };
  // Where corrections overlap, the later `recorded_at` wins; on a tie the greater id as text.
  Winners CorrectionsOf(const std::string& service, const std::string& municipality) const;

  // The windows that count as planned: announced in time, not cancelled.
  Intervals PlannedOf(const std::string& service, const std::string& municipality,
                      Millis notice) const;

  bool Revoked(const std::string& id) const;

 private:
  struct Ranked {
    const Correction* correction;
    Interval when;  // ends at T at the latest
    size_t rank;    // greater wins
  };
  Steps<Override> Win(const std::vector<Ranked>& candidates) const;

  std::vector<std::string> revoked_;  // sorted
  std::vector<Ranked> corrections_;   // by the start of `when`
  std::vector<const Maintenance*> maintenance_;
};

}  // namespace oppetid::collector
