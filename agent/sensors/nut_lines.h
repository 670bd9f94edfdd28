// What upsd of the Network UPS Tools says: parsing of its text protocol. Pure; any text is safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/sensors/reading.h"
#include "agent/sensors/ups_reading.h"

namespace oppetid::agent {

// A UPS with everything has some 200 variables.
inline constexpr size_t kMaxNutVariables = 512;

struct NutAnswer {
  bool complete = false;  // the end of the list, or an error, has been seen
  std::string error;      // "DATA-STALE", "UNKNOWN-UPS" …; empty when there is none
  std::vector<std::pair<std::string, std::string>> variables;
};

// The answer to LIST VAR, as far as it has come.
NutAnswer ParseNutAnswer(std::string_view text);

// nullopt when the status does not say where the load's power comes from (as WAIT, after a start).
std::optional<UpsReading> UpsOfNut(const NutAnswer& answer);

// The probe that many UPSes have a socket for.
std::vector<Reading> AmbientOfNut(const NutAnswer& answer);

}  // namespace oppetid::agent
