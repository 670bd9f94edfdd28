// What restic prints (0.14 and later): its lists, and why it failed.
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

// More are not looked at; a check of one job keeps tens to hundreds.
inline constexpr size_t kMaxResticSnapshots = 20'000;
// Locks that are read, each at the cost of a restic: one is stale, eight tell as much as eighty.
inline constexpr size_t kMaxResticLocks = 8;

struct ResticSnapshot {
  std::string id;  // 64 hexadecimal digits
  std::string host;
  std::vector<std::string> paths;
  Instant start;
  // From 0.17 on, where restic itself keeps them.
  std::optional<Instant> end;
  std::optional<uint64_t> size;
  std::optional<uint64_t> files;
};

// `snapshots --json`, by start; nullopt when it is not that.
std::optional<std::vector<ResticSnapshot>> ParseResticSnapshots(std::string_view json);

struct ResticStats {
  uint64_t size = 0;   // of what a restore would write
  uint64_t files = 0;  // directories included
};
// `stats --json`.
std::optional<ResticStats> ParseResticStats(std::string_view json);

// `list locks`: ids, at most kMaxResticLocks of them.
std::vector<std::string> ParseResticLockIds(std::string_view output);
// `cat lock`: when the lock was made. A living restic renews its own every five minutes.
std::optional<Instant> ParseResticLock(std::string_view json);

// Why a restic that ended with this code and this standard error could not look, as one line. It
// says wrong password, no repository and unreachable repository apart.
std::string ResticFailure(int exit_code, std::string_view error_output);
// Why the snapshots that a restic has listed are not all: it leaves out those that it cannot read,
// be it every one, and still ends with 0. Empty when they are all.
std::string ResticLeftOut(std::string_view error_output);

}  // namespace oppetid::agent
