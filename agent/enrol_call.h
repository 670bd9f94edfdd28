// The call Enrolment/Enrol.
//
// Apart from enrol.cc because gRPC's headers are dear. Threading: blocking, with a deadline.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

// Asks the collector at host:port, whose certificate must be of this CA (PEM).
absl::StatusOr<v1::EnrolReply> CallEnrol(const std::string& address, const std::string& ca,
                                         const v1::EnrolRequest& request);

}  // namespace oppetid::agent
