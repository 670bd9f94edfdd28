// What must be remembered from one look at a domain to the next, and over restarts: that the domain
// refused our logon, and how far each database had come.
//
// After a refused logon nobody tries again with the same secret: a domain locks an account after a
// few wrong passwords, and ours may be an important one. Where the refusal says that the password
// was right (expired, disabled, locked …) one more try is made each hour, which counts for nothing.
// A logon without an answer may have been refused: one more is made each hour, too few to lock.
// Parsing is pure and forgiving: a damaged memory is an empty one, apart from a refusal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/instant.h"

namespace oppetid::agent {

struct AdRefusal {
  std::string secret;  // which version of the secret was refused
  uint32_t code = 0;   // as RefusalText knows them
  Instant at;
  std::string controller;
};

struct AdMemory {
  std::optional<AdRefusal> refusal;
  std::map<std::string, int64_t> usn;         // invocation id -> highest committed USN
  std::map<std::string, Instant> mismatched;  // controller -> since when its GPOs differ
};
inline constexpr size_t kMaxAdMemoryEntries = 256;  // controllers come and go over the years

AdMemory ParseAdMemory(std::string_view text);
std::string FormatAdMemory(const AdMemory& memory);

// Whether a logon may be tried with this version of the secret.
bool MayLogOn(const AdMemory& memory, std::string_view secret, Instant now);

}  // namespace oppetid::agent
