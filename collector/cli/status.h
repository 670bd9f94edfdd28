// `oppetid status`: who is up and what is in which state, the worst first.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>

namespace oppetid::collector {

void AddStatus(CLI::App& app, int& exit_code);

// The status JSON as tables for people; an error text when it is no such JSON. Pure.
std::string StatusTable(std::string_view json);

}  // namespace oppetid::collector
