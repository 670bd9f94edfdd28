// What the sensors that ask through a backup tool share: running it, and secrets by file only.
//
// Threading: the agent's thread; what touches files runs on the pool.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/sensors/sensor.h"
#include "agent/sensors/subprocess.h"
#include "common/yaml.h"

namespace oppetid::agent {

// What is told of sizes that an earlier attempt did not get within its deadline.
inline constexpr char kSizeTooSlow[] = "size: not within the deadline (`sizes: false`?)";

// Runs one command to its end. Throws only the system_error of a cancellation.
boost::asio::awaitable<Finished> RunTool(World& world, Command command);

// Why this secret must not be used or cannot be: missing, or others may read it. Empty when fine.
// The tool reads it, as our own user; here only its mode is looked at.
boost::asio::awaitable<std::string> SecretFault(World& world, std::string path);

// What ended a run badly before any tool could say it: not started, killed, too much output.
std::string RunFault(const Finished& finished);

// Reads the key as an absolute path that no quoting can change; `fallback` empty: it is needed.
std::string ReadPath(YamlMap& config, std::string_view key, std::string_view fallback);

// When these were last changed, on the pool; nullopt for what is not there. An error other than
// that is nullopt too: whoever asks has looked through the tool and only wants to know more.
boost::asio::awaitable<std::vector<std::optional<Instant>>> ChangedAt(
    World& world, std::vector<std::string> paths);

}  // namespace oppetid::agent
