// A burst of ICMP echo requests to one host: what `ping` and `link` measure with.
//
// Two kinds of socket: the datagram one needs no rights, but net.ipv4.ping_group_range must hold
// our group; the raw one needs CAP_NET_RAW, and sees the echo replies of others too. Answers are
// therefore matched by identifier (raw), sequence and a random nonce in the payload.
// Threading: the agent's thread. An Echo lives as long as its sensor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// socket(2), or what a test puts in its place: a descriptor, or -1 and errno.
using OpenSocket = std::function<int(int family, int type, int protocol)>;
OpenSocket SystemSocket();

struct EchoReply {
  uint16_t id = 0;
  uint16_t sequence = 0;
  uint64_t nonce = 0;
};

enum class EchoSocket { kDatagram, kRaw };

// An echo reply as a socket of this kind gives it; nullopt for every other packet.
std::optional<EchoReply> ParseEchoReply(std::span<const uint8_t> packet, bool v6, EchoSocket kind);

struct EchoBurst {
  std::string target;
  int64_t count = 3;
  Millis interval{200};   // between two requests
  Millis patience{1000};  // after the last one
};
// Reads `target`, `count`, `interval` and `patience`.
EchoBurst ReadEchoBurst(YamlMap& config, EchoBurst defaults);

struct EchoLimits {
  std::optional<Percent> loss;
  std::optional<Millis> rtt;
  std::optional<Millis> jitter;
};
// Reads `loss` and `rtt`; the caller finishes the mapping.
EchoLimits ReadEchoLimits(YamlMap& levels, EchoLimits defaults);

struct EchoResult {
  std::string could_not_ask;  // a name that does not resolve, or no socket; nothing was sent then
  std::string fault;          // why requests could not be sent; they count as lost
  std::vector<std::optional<Steady::duration>> trips;  // one a request; absent when lost

  int64_t lost() const;
  std::optional<Steady::duration> mean() const;  // of the answered ones
  // The mean difference between the round trips of neighbouring requests; nullopt when no two
  // neighbours were answered.
  std::optional<Steady::duration> jitter() const;
};

// Whether so many are lost, or their trips so long or so uneven, that a limit is reached.
bool Reaches(const EchoLimits& limits, const EchoResult& result);

class Echo {
 public:
  Echo(EchoBurst burst, World& world, OpenSocket open_socket)
      : burst_(std::move(burst)), world_(world), open_socket_(std::move(open_socket)) {}
  boost::asio::awaitable<EchoResult> Run();

 private:
  EchoBurst burst_;
  World& world_;
  OpenSocket open_socket_;
  std::random_device random_;
};

}  // namespace oppetid::agent
