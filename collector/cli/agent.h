// `oppetid agent invite|list|revoke|reinvite|retire`: which servers belong to this collector.
#pragma once

#include <CLI/App.hpp>

namespace oppetid::collector {

void AddAgent(CLI::App& app, int& exit_code);

}  // namespace oppetid::collector
