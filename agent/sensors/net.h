// What the sensors that speak over TCP share: addresses, resolving and connecting.
//
// Threading: the agent's thread; name look-ups run on the pool, since getaddrinfo blocks.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// "host:port", "192.0.2.1:22" or "[2001:db8::1]:22"; port 1 to 65535.
std::optional<HostPort> ParseHostPort(std::string_view text);

// Reads such a key; a missing or odd one is a fault.
HostPort ReadTarget(YamlMap& config, std::string_view key);

struct Resolved {
  std::vector<boost::asio::ip::address> addresses;  // at least one, unless error is set
  std::string error;                                // one line for people
};

// Resolves a name with the system's resolver; an address literal resolves to itself at once.
boost::asio::awaitable<Resolved> Resolve(World& world, std::string host);

struct Connected {
  std::optional<boost::asio::ip::tcp::socket> socket;  // set unless error is
  std::string error;
  bool could_not_ask = false;  // the name did not resolve: the question was not put to the target
  std::chrono::steady_clock::duration resolve_time{};
  std::chrono::steady_clock::duration connect_time{};
};

// Resolves and connects to the first address that answers, in the resolver's order.
boost::asio::awaitable<Connected> Connect(World& world, HostPort target);

// Milliseconds with one decimal, for texts: "12.3 ms".
std::string FormatMs(std::chrono::steady_clock::duration duration);

inline double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace oppetid::agent
