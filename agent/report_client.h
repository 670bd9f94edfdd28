// The other end of report.sock: what the commands `report` and `report-backup` do.
//
// Threading: blocks its caller, for at most a few seconds.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/report_line.h"

namespace oppetid::agent {

// The sockets that are tried when none is named, in this order: of the packages, and of an agent
// that was told of no other state directory.
inline constexpr const char* kReportSockets[] = {"/run/oppetid-agent/report.sock",
                                                 "/var/lib/oppetid-agent/report.sock"};

// Reports to the agent that listens at `socket`, or, when that is empty, at the first of the above
// that is there. An error says that nobody is there, or why the report was refused.
absl::Status SendReport(const std::string& socket, const Report& report);

}  // namespace oppetid::agent
