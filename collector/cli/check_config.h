// `oppetid check-config FILE…`: every fault in catalogues, histories and tickets, nothing computed.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

// Registers the subcommand; `exit_code` is set when it has run.
void AddCheckConfig(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
