// `oppetid ticket push|sources`: handing tickets to the collector, and how its sources are.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddTicket(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
