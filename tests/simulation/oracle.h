// What must be true at the end of a world, however it went.
//
// What was measured stands in the side logs; what is believed stands in the ledger. For every check
// and every instant the ledger says what the rules make of the measurements, with these exceptions,
// each by evidence of the very fact it excuses (tests/simulation/audit.cc):
//  - A kill may cost the attempt under way and one interval of `last`. The run then holds shorter,
//    or, if the attempt under way began it, is missing; the one before it may then hold on as if
//    that attempt had not been. A kill within an interval of a disk's refusal costs what was not
//    yet written. An orderly stop on a healthy disk costs nothing.
//  - What a ledger refused as from the future, durably, with a gap for what of it was past.
//  - What was acked, and removed after `retain` or by the bound, when the ledger that had it was
//    replaced. The restored ledger says so by a gap, if it knew the check before.
//  - What images of disks and ledgers have taken of what stood nowhere else.
//  - Where a clock that was set back made the agent measure a time twice, a gap for the one does
//    not hide the other, and what had to go from a full spool may hide behind either.
//  - A record that a flipped bit hit, with none of its check before it in the spool (its first run,
//    or what came before is trimmed), leaves unknown time without a gap: nothing says where that
//    began.
//  - A gap stands where a fact was lost, or where its agent cannot know that it was not (a bit
//    flipped, a disk restored, no ack before it had to go), or a ledger was replaced, and only
//    there. It hides nothing that the ledger has, but where a damaged spool knows less of a run.
//  - A backup run has no gap: one that damage or a full spool took is missing until it is told
//  anew.
// Never: a state that was not measured, a run that reaches further than it was seen, a span twice,
// anything negative or from the future, a removal before its time, a fact removed while neither it
// nor its gap is durable. Of backup runs each is there exactly once. What agents still keep goes to
// an empty ledger, all of it.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace oppetid::simulation {

// Adds to the world's failures, and counts gaps and backup runs in its statistics.
void Judge(World& world);

// Whether a ledger that began with nothing has what the agents still keep, and nothing that was not
// measured.
void JudgeCopy(World& world, const LedgerImage& copy);

// What a ledger says, by check and instant, whatever pieces it is stored in; for comparing ledgers.
std::vector<std::string> Canonical(const LedgerImage& ledger);

}  // namespace oppetid::simulation
