// How far beyond a period facts must be known, so that its outages have their true bounds.
//
// An outage may have begun before the period and may run on after it, and unknown time bridges. A
// service matters beyond a bound where it is not certainly up there; it matters until the nearest
// instant at which it certainly is. Certainly: whatever instant, from the period's start on,
// everything is computed as known at; so what was recorded late makes nothing certain, and an
// export is right for every `--as-known-at`. Pure. Safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "collector/sla/overrides.h"
#include "collector/sla/timeline.h"

namespace oppetid::collector {

// The state of services, up or down only where it is certain in the sense above.
class CertainStates {
 public:
  // Of the spans in `facts`, which need not outlive this; the catalogue must.
  CertainStates(const Catalogue& catalogue, const Facts& facts, Instant period_start);
  CertainStates(const CertainStates&) = delete;

  Steps<Truth> Of(const std::string& service, const std::string& municipality);

 private:
  const Facts certain_;
  std::vector<Correction> uncertain_;
  ServiceStates states_;
  Overrides overrides_;
};

// The last instant at or before `at` at which it is up, or kBeginning.
Instant LastUp(const Steps<Truth>& state, Instant at);
// The first instant at or after `at` at which it is up, or kForever.
Instant FirstUp(const Steps<Truth>& state, Instant at);

// The full names of all checks that decide a service's state, those it depends on included.
std::vector<std::string> ChecksOf(const Catalogue& catalogue, const std::string& service,
                                  const std::string& municipality);

}  // namespace oppetid::collector
