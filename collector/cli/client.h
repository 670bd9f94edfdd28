// How `oppetid` reaches its collector: HTTP over admin.sock, or over TCP with a token.
//
// One thread; blocking, with a deadline.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace oppetid::collector {

// Where the collector is; exactly one of the first three.
struct CollectorAddress {
  std::string state;   // directory of deploy/run, or the collector's own
  std::string socket;  // path of admin.sock
  std::string url;     // https://host:port, or http:// on this machine
  std::string token_file;
  std::string ca_file;  // who signs the collector's certificate; empty: the system's CAs
};

// Adds --state, --socket, --url, --token-file and --ca to a subcommand.
void AddAddressOptions(CLI::App& command, CollectorAddress& address);

struct Reply {
  int status = 0;
  std::string body;
};

// `target` is path and query. Errors say what could not be reached and what to try.
absl::StatusOr<Reply> Call(const CollectorAddress& address, const std::string& method,
                           const std::string& target, const std::string& body = "");

// As Call, but an answer other than 2xx is an error with the collector's words.
absl::StatusOr<std::string> Fetch(const CollectorAddress& address, const std::string& method,
                                  const std::string& target, const std::string& body = "");

// Adds --on-behalf-of to a command that is an act; what it gives goes after the query of `target`.
void AddBehalfOption(CLI::App& command, std::string& on_behalf_of);
std::string WithBehalf(const std::string& target, const std::string& on_behalf_of);

// `text` percent-encoded for a query value (RFC 3986).
std::string UrlEncode(const std::string& text);

// Prints "oppetid: <message>" to stderr and gives exit code 1.
int Fail(const absl::Status& status);

}  // namespace oppetid::collector
