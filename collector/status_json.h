// The status as JSON (GET /api/v1/status, `oppetid status --json`), from a View. Pure.
#pragma once

#include <string>

#include "collector/ledger/ledger.h"
#include "collector/reach.h"
#include "collector/view.h"

namespace oppetid::collector {

// {"at":…,"agents":[…],"checks":[…]}, sorted by municipality, host and check; instants with three
// decimals; what is not known is null. `reach` narrows to some municipalities.
std::string StatusJson(const View& view, const Reach& reach);

// One line of history.jsonl, newline included.
std::string SpanJson(const StoredSpan& span);

}  // namespace oppetid::collector
