// `oppetid export history`: every span of a period, as history.jsonl.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddExport(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
