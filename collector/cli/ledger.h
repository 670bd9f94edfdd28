// `oppetid ledger backup|verify|hash`: care for the file in which all facts are.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddLedger(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
