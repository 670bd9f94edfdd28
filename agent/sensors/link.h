// link: the part that a test takes hold of. The sensor itself is in the registry.
#pragma once

#include <memory>

#include "agent/sensors/echo.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

std::unique_ptr<Sensor> MakeLinkSensorWith(YamlMap& config, World& world, OpenSocket open_socket);

}  // namespace oppetid::agent
