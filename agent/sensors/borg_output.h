// What borg prints (1.2): its lists, and why it failed. borg's times have no offset; it runs with
// TZ=UTC here.
//
// Pure functions, safe from any thread; any input gives an answer or nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/instant.h"

namespace oppetid::agent {

// More are not looked at; a repository of one host keeps tens.
inline constexpr size_t kMaxBorgArchives = 10'000;

struct BorgArchive {
  std::string id;
  Instant start;
  // Only `info` knows these.
  std::optional<Instant> end;
  std::optional<uint64_t> size;
  std::optional<uint64_t> files;
};

// `list --json` or `info --json` of a repository's archives, by start; nullopt when it is neither.
std::optional<std::vector<BorgArchive>> ParseBorgArchives(std::string_view json);

// As ResticFailure.
std::string BorgFailure(int exit_code, std::string_view error_output);

}  // namespace oppetid::agent
