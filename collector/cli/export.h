// `oppetid export history|catalogue`: what a period is computed from, for any other machine.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddExport(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
