// What must be true at the end of a world, however it went.
//
// What was measured stands in the side logs; what is believed stands in the ledger. For every check
// and every instant the ledger says what the rules make of the measurements, with these exceptions:
//  - A kill may cost the attempt under way and one interval of `last`. The run then holds shorter,
//    or, if the attempt under way began it, is missing; the one before it may then hold on as if
//    that attempt had not been. A kill while the disk refuses costs what was not yet written.
//  - What all copies of were destroyed by restoring images may be missing likewise.
//  - Where a clock that was set back made the agent measure a time twice, a gap for the one does
//  not
//    hide the other.
//  - What was measured while the agent's clock was more than a minute ahead may be missing.
//  - Damage to a record with none of its check before it in the spool (its first run, or what came
//    before is trimmed) leaves unknown time without a gap: nothing says where that began.
//  - In worlds where facts can be lost (Plan::MayLose) a gap may stand in their place, and only
//    there; in all others there is no gap at all.
// Never: a state that was not measured, a run that reaches further than it was seen, a span twice,
// anything negative or from the future. Of backup runs each is there exactly once.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace oppetid::simulation {

// Adds to the world's failures, and counts gaps and backup runs in its statistics.
void Judge(World& world);

// What a ledger says, by check and instant, whatever pieces it is stored in; for comparing ledgers.
std::vector<std::string> Canonical(const LedgerImage& ledger);

}  // namespace oppetid::simulation
