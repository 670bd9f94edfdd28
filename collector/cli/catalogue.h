// `oppetid catalogue apply|show|history`: what was agreed, and since when.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddCatalogue(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
