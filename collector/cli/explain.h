// `oppetid explain SERVICE MUNICIPALITY --at T`: what decided an instant.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddExplain(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
