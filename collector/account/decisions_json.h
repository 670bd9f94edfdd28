// What was decided, as people and programs read it: maintenance, corrections, notes.
//
// Pure; any thread.
#pragma once

#include <string>

#include "collector/account/agreements.h"

namespace oppetid::collector {

// Everything decided, newest last, as JSON: {"at","maintenance":[…],"corrections":[…],"notes":[…]}.
std::string DecisionsAsJson(const Agreements& agreements, Instant now);

}  // namespace oppetid::collector
