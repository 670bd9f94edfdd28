// link: how is the line between a municipality and the server room? Loss, round trip time and
// jitter of a burst of echo requests to the other end.
//
// Where an agent runs at both ends each has its `link` to the other, with the other's name as
// `peer`: a line that is cut is told of by the end that still reaches the collector, and a line
// that loses only one way shows at both. The line of an SLA is the service that lists both checks.
#include "agent/sensors/link.h"

#include "agent/sensors/echo_sensor.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// Enough that one lost packet in an attempt is no news; done within two seconds.
constexpr int64_t kCount = 20;
constexpr Millis kInterval{50};

// What telephony and remote desktops bear, and what they do not.
const EchoLimits kWarning{Percent{10'000'000}, Millis(150), Millis(30)};
const EchoLimits kCritical{Percent{50'000'000}, std::nullopt, std::nullopt};

EchoLimits ReadLimits(YamlMap& config, std::string_view key, EchoLimits limits) {
  if (auto map = config.Map(key)) {
    limits = ReadEchoLimits(*map, limits);
    if (const auto jitter = map->Duration("jitter", Millis(1), std::chrono::minutes(1))) {
      limits.jitter = jitter;
    }
    map->Finish();
  }
  return limits;
}

}  // namespace

std::unique_ptr<Sensor> MakeLinkSensorWith(YamlMap& config, World& world, OpenSocket open_socket) {
  EchoCheck check;
  check.burst = ReadEchoBurst(config, {"", kCount, kInterval, Millis(1000)});
  const std::string peer = config.RequiredString("peer");
  if (!peer.empty() && !IsId(peer)) {
    config.Fault("peer",
                 "`peer`: the other end's name, 1 to 63 of [a-z0-9.-], as a municipality's id");
  }
  check.warning = ReadLimits(config, "warning", kWarning);
  check.critical = ReadLimits(config, "critical", kCritical);
  check.labels = {{"peer", peer}};
  check.loss_family = "link_loss_ratio";
  check.rtt_family = "link_rtt_seconds";
  check.jitter_family = "link_jitter_seconds";
  return MakeEchoSensor(std::move(check), world, std::move(open_socket));
}

std::unique_ptr<Sensor> MakeLinkSensor(YamlMap& config, World& world) {
  return MakeLinkSensorWith(config, world, SystemSocket());
}

}  // namespace oppetid::agent
