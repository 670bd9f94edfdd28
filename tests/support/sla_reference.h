// The SLA definitions read literally and computed slowly, for comparison.
//
// Between two neighbouring boundaries (anything that starts or ends) nothing changes; the
// definitions are evaluated at the first instant of each such stretch and the lengths added up. It
// shares only the data types with collector/sla: no sweep, no calendar, no time zone library.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collector/report/model.h"

namespace oppetid::collector::reference {

// Local time in Norway by the EU rule: summer time from the last Sunday of March to the last of
// October, changing at 01:00 UTC.
Instant FirstOslo(LocalTime at);
Instant SecondOslo(LocalTime at);

struct World {
  const Catalogue& catalogue;
  const Facts& facts;
  AsKnownAt as_known_at;
  Instant from;
  Instant end;  // to where it is computed
};

bool IsOpen(const Calendar& calendar, Instant at);
State CheckState(const World& world, const std::string& check, Instant at);
Truth ServiceState(const World& world, const std::string& service, const std::string& municipality,
                   Instant at);

ServiceFigures Account(const World& world, const Service& service, const ServiceMember& member);
BackupFigures Backup(const World& world, const BackupJob& job, bool restore_test);
// Every instant of the facts must be a multiple of `unit`, and so must targets.
TicketReport Tickets(const World& world, Millis unit);

}  // namespace oppetid::collector::reference
