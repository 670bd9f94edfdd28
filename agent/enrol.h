// `oppetid-agent enrol`: makes this server's key and redeems an invitation for its certificate.
//
// May be run again at any time: the same token with the same key gives the same certificate. The
// key never leaves the server, and the token is never logged.
// Threading: blocking.
#pragma once

#include <string>

#include "agent/credentials.h"

namespace oppetid::agent {

struct EnrolOptions {
  std::string collector;   // host:port
  std::string token;       // as it was printed
  std::string token_file;  // in its place, a file; "-" reads standard input
  std::string config;      // agent.yaml, which says where identities are kept; or
  std::string state;       // the state directory
};

// Says what it did on stdout, or what is wrong on stderr; returns the program's exit code.
int RunEnrol(const EnrolOptions& options);

}  // namespace oppetid::agent
