// `oppetid check now`: have an agent attempt a check at once.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddCheck(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
