// The floor of the ingest benchmark: a server that takes the same frames over the same TLS and only
// decodes them. No validation, no state, no ledger; facts are acked at once.
#pragma once

#include <string>

namespace oppetid::load {

// Serves on a free loopback port until SIGTERM; the log says the port as the collector's does. The
// PEM files ca.pem, server.pem and server.key are read from `directory`. Returns the exit code.
int RunSink(const std::string& directory);

}  // namespace oppetid::load
