// ping: does a host answer ICMP echo requests, how many of them, and how fast? Critical when all
// are lost, or at the configured loss or round trip time; unknown when the name does not resolve,
// or when the system gives us no socket for ICMP (echo.h).
#include "agent/sensors/ping.h"

#include "agent/sensors/echo_sensor.h"
#include "agent/sensors/registry.h"

namespace oppetid::agent {
namespace {

EchoLimits ReadLimits(YamlMap& config, std::string_view key) {
  EchoLimits limits;
  if (auto map = config.Map(key)) {
    limits = ReadEchoLimits(*map, limits);
    map->Finish();
  }
  return limits;
}

}  // namespace

std::unique_ptr<Sensor> MakePingSensorWith(YamlMap& config, World& world, OpenSocket open_socket) {
  EchoCheck check;
  check.burst = ReadEchoBurst(config, {});
  check.warning = ReadLimits(config, "warning");
  check.critical = ReadLimits(config, "critical");
  check.loss_family = "ping_loss_ratio";
  check.rtt_family = "ping_rtt_seconds";
  return MakeEchoSensor(std::move(check), world, std::move(open_socket));
}

std::unique_ptr<Sensor> MakePingSensor(YamlMap& config, World& world) {
  return MakePingSensorWith(config, world, SystemSocket());
}

}  // namespace oppetid::agent
