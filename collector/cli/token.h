// `oppetid token create|list|revoke`: who may read over HTTP, or push tickets.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddToken(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
