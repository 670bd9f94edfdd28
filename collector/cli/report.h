// `oppetid report`: the SLA report of a period, from files or from the collector's ledger.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

// Registers the subcommand; `exit_code` is set when it has run.
void AddReport(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
