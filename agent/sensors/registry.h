// The list of sensors: name in the configuration -> factory.
//
// A plain table, no self-registration: the linker drops static initialisers of static libraries.
// To add a sensor, declare its factory here and add its line in registry.cc (CONTRIBUTING.md).
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// Reads the sensor's own keys from `config` (the common ones are read already, Finish() follows)
// and makes it. Faults go to the map; the result is not used when there are any.
using SensorFactory = std::unique_ptr<Sensor> (*)(YamlMap& config, World& world);

struct SensorType {
  std::string_view name;
  SensorFactory make;
};

// Sorted by name.
std::span<const SensorType> SensorTypes();

std::unique_ptr<Sensor> MakeActiveDirectorySensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeCertificateSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeDnsSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeExecSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeHostSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeHttpSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakePingSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeProcessSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeScrapeSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeTcpSensor(YamlMap& config, World& world);

}  // namespace oppetid::agent
