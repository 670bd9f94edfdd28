// What a look at a domain means: one state, one line for people, and the series.
//
// Critical is what keeps people from logging on or breaks the domain; warning is redundancy or
// replication that suffers, and what will become a fault; unknown is what could not be looked at.
// Pure but for the memory, which learns how far each database has come. Safe from any thread.
#pragma once

#include <string>

#include "agent/ad/memory.h"
#include "agent/ad/view.h"
#include "agent/sensors/ad_options.h"
#include "common/state.h"

namespace oppetid::agent {

struct AdReport {
  State state = State::kUnknown;
  std::string text;    // one line
  std::string series;  // in the Prometheus text format, without comments
};

AdReport JudgeDomain(const AdOptions& options, const AdView& view, AdMemory& memory);

// The series alone (series.cc), as above.
std::string SeriesOfDomain(const AdOptions& options, const AdView& view);

// --- What both need, of a view -------------------------------------------------------------------

bool ProbeOk(const AdControllerView& controller, const std::string& probe);
// Whether the controller answers LDAP.
bool IsUp(const AdControllerView& controller);
const AdListed* ListedByGuid(const AdView& view, const std::string& guid);
const AdListed* ListedBySettings(const AdView& view, const std::string& dn);
const AdListed* ListedByName(const AdView& view, const std::string& name);
// The view of the controller of this DNS name, or nullptr when it is not watched.
const AdControllerView* Watched(const AdView& view, const std::string& name);
// The names a record should have as targets; nullopt where that is not known.
std::optional<std::vector<std::string>> WantedTargets(const AdView& view, std::string_view record);
std::vector<std::string> MissingTargets(const AdView& view, const AdControllerView& server,
                                        const std::string& record);
// How a controller's links could be read: "neighbors", "repsfrom", "none".
std::string LinkMethod(const AdControllerView& controller);
// Whether more controllers than this one hold the naming context, so that it must have a partner.
bool IsReplicated(const AdView& view, const AdControllerView& controller,
                  const std::string& context);
// Age of the last success by the controller's own clock; nullopt when there never was one.
std::optional<Millis> LinkAge(const AdControllerView& controller, const ReplicationLink& link);

}  // namespace oppetid::agent
