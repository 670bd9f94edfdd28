// link: the parts that a test takes hold of. The sensor itself is in the registry.
#pragma once

#include <memory>
#include <optional>

#include "agent/sensors/echo.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

std::unique_ptr<Sensor> MakeLinkSensorWith(YamlMap& config, World& world, OpenSocket open_socket);

// The mean difference between the round trips of neighbouring requests; nullopt when no two
// neighbours were answered.
std::optional<Steady::duration> JitterOf(const EchoResult& result);

}  // namespace oppetid::agent
