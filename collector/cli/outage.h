// `oppetid outage report|list|annotate`: outages, those that only a ticket knows, and notes.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddOutage(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
