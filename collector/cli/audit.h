// `oppetid audit list|verify`: what people decided, and whether the record of it is whole.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddAudit(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
