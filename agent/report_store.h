// How reports are kept on disk: one small JSON file for each passive check and each job.
//
// Pure functions, safe from any thread; any input gives a content or nullopt.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/reports.h"

namespace oppetid::agent {

std::string FormatPassive(const PassiveReport& report);
// `heard` is left to the caller.
std::optional<PassiveReport> ParsePassive(std::string_view text);

std::string FormatHistory(const JobHistory& history);
std::optional<JobHistory> ParseHistory(std::string_view text);

}  // namespace oppetid::agent
