// The agent put together: configuration, sensors, core, link, timers. The composition root.
//
// Threading: Run() is the agent's thread; see ARCHITECTURE.md for the others.
#pragma once

#include <string>

namespace oppetid::agent {

// Runs until SIGTERM or SIGINT and returns the program's exit code: 0 after a clean end, 1 when the
// state directory or the spool cannot be used, 2 for a faulty configuration (told on stderr).
int RunAgent(const std::string& config_file);

// Validates only; the same exit codes and texts.
int CheckAgentConfig(const std::string& config_file);

}  // namespace oppetid::agent
