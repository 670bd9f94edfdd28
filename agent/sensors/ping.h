// ping: the parts that a test takes hold of. The sensor itself is in the registry.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// socket(2), or what a test puts in its place: a descriptor, or -1 and errno.
using OpenSocket = std::function<int(int family, int type, int protocol)>;

std::unique_ptr<Sensor> MakePingSensorWith(YamlMap& config, World& world, OpenSocket open_socket);

struct EchoReply {
  uint16_t id = 0;
  uint16_t sequence = 0;
  uint64_t nonce = 0;
};

enum class EchoSocket { kDatagram, kRaw };

// An echo reply as a socket of this kind gives it; nullopt for every other packet.
std::optional<EchoReply> ParseEchoReply(std::span<const uint8_t> packet, bool v6, EchoSocket kind);

}  // namespace oppetid::agent
