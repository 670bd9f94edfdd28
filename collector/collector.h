// The collector put together: ledger, hub, gRPC, HTTP. The composition root.
//
// Threading: Run is the hub's thread; see ARCHITECTURE.md for the others.
#pragma once

#include <string>

namespace oppetid::collector {

// Runs until SIGTERM or SIGINT and returns the program's exit code: 0 after a clean end, 1 when it
// cannot start (the log says why), 2 for a faulty configuration (told on stderr).
int RunCollector(const std::string& config_file);

// Validates only; the same exit codes and texts.
int CheckCollectorConfig(const std::string& config_file);

}  // namespace oppetid::collector
