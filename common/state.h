// The four states of a check, one word each, everywhere: wire, ledger, metrics, panels.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace oppetid {

// In order of goodness for display; the numbers are stored in ledgers and must never change.
enum class State { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

inline constexpr std::array<State, 4> kStates = {State::kOk, State::kWarning, State::kCritical,
                                                 State::kUnknown};

constexpr std::string_view StateName(State state) {
  constexpr std::array<std::string_view, 4> kNames = {"ok", "warning", "critical", "unknown"};
  return kNames[static_cast<size_t>(state)];
}

constexpr std::optional<State> ParseState(std::string_view name) {
  for (const State state : kStates) {
    if (StateName(state) == name) return state;
  }
  return std::nullopt;
}

// How bad a state is, for taking the worse of two: ok < unknown < warning < critical.
// (Of two spans that start together the ledger's rule in `collector/sla` decides, not this one.)
constexpr int Severity(State state) {
  constexpr std::array<int, 4> kSeverity = {0, 2, 3, 1};
  return kSeverity[static_cast<size_t>(state)];
}

constexpr State Worse(State a, State b) { return Severity(a) >= Severity(b) ? a : b; }

}  // namespace oppetid
