// What clamd of ClamAV answers to VERSION. Pure; any text is safe.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace oppetid::agent {

struct ClamdVersion {
  std::string program;   // "ClamAV 1.4.6"; one safe line
  std::string database;  // the signatures' number; empty when clamd names none
  // When the signatures were made, in the local time of clamd's host.
  std::optional<std::tm> made;
};

// "ClamAV 1.4.6/27450/Wed Nov 19 09:37:52 2026"; nullopt when it is not clamd who speaks.
std::optional<ClamdVersion> ParseClamdVersion(std::string_view line);

}  // namespace oppetid::agent
