// The words that a ticket's kind, priority and status may be, whatever its source says.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace oppetid::collector {

inline constexpr auto kTicketKinds =
    std::to_array<std::string_view>({"incident", "request", "problem", "change"});
inline constexpr auto kTicketPriorities =
    std::to_array<std::string_view>({"P1", "P2", "P3", "P4", "P5"});
inline constexpr auto kTicketStatuses = std::to_array<std::string_view>(
    {"new", "open", "waiting_customer", "waiting_supplier", "resolved", "closed"});

template <size_t N>
bool IsWord(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

inline bool IsResolvedStatus(std::string_view status) {
  return status == "resolved" || status == "closed";
}

}  // namespace oppetid::collector
