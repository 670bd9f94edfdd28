// Instants as people type them: RFC 3339, or local time in the catalogue's zone.
//
// Pure, safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/sla/zone.h"

namespace oppetid::collector {

// "2026-07-10T20:00:00Z", "2026-07-10T20:00:00+02:00", or local "2026-07-10 20:00" (seconds
// optional). A local time that does not exist, or exists twice, is refused with what can be meant.
absl::StatusOr<Instant> ParseWhen(std::string_view text, const Zone& zone);

// RFC 3339 in local time with its offset, to the second: "2026-07-10T20:00:00+02:00".
std::string FormatLocal(Instant at, const Zone& zone);

}  // namespace oppetid::collector
