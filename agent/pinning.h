// Knows a collector by the hash of its CA's key, before anything is trusted.
//
// The token of an invitation names that hash. The collector shows its CA behind its certificate;
// whoever is in between can show the CA too, but cannot use its key, so the CA that is returned
// here is trusted for the call that follows and TLS does the rest.
// Threading: blocking, with a deadline.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace oppetid::agent {

// The certificate of the CA with this hash, PEM, as the server at host:port shows it.
absl::StatusOr<std::string> FetchCa(const std::string& address, const std::string& hash);

}  // namespace oppetid::agent
