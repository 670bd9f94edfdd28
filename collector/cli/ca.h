// `oppetid ca rollover start|status|finish`: replacing the CA without cutting off an agent.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddCa(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
