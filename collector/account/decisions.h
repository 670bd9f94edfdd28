// What a person wants to decide, checked against what was agreed, and made into an act.
//
// Windows, corrections, revocations, outages known only from tickets, notes on outages. All faults
// at once, each saying what is allowed. Pure: the caller brings the number and the instant that the
// act will have. Safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/account/agreements.h"

namespace oppetid::collector {

struct Decision {
  std::string kind;  // of the act
  std::string id;    // m-N or c-N; of what is revoked; empty for a note
  std::string body;
  std::vector<std::string> remarks;  // what the person should know, such as a late announcement
};

// `wish` is a JSON object with the key `do`, and the keys of that; those in brackets if known:
//  - announce: services, municipalities, from, to, reason [announced_at, reference]
//  - correct: services, municipalities, from, to, as, reason [reference]
//  - report_outage: services, municipalities, from, to, reason, reference
//  - cancel, revoke: id, reason [reference]
//  - annotate: service, municipality, at, note [reference]
//
// An InvalidArgument holds every fault, one a line. FailedPrecondition: there is no catalogue yet,
// or what is to be revoked is revoked already. NotFound: nothing has that id.
absl::StatusOr<Decision> Decide(std::string_view wish, const Agreements& agreements,
                                uint64_t number, Instant at);

}  // namespace oppetid::collector
