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
  // Re-checks of a failing attempt unless the configuration says otherwise. None where the answer
  // is something kept (a report, a backup) that a second look a second later finds the same.
  int confirm = 3;
  // Asked one at a time with all others of this kind, as it is heavy on what it asks.
  bool takes_turns = false;
};

// Sorted by name.
std::span<const SensorType> SensorTypes();

std::unique_ptr<Sensor> MakeActiveDirectorySensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeAntivirusSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeBorgSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeCertificateSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeDnsSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeExecSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeFilesSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeHostSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeHttpSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeHwmonSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeIpmiSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeJobSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeLinkSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeNutSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakePgBackRestSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakePingSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakePostgresWalSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeProcessSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeReportSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeResticSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeScrapeSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeSmartSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeSnmpSensor(YamlMap& config, World& world);
std::unique_ptr<Sensor> MakeTcpSensor(YamlMap& config, World& world);

}  // namespace oppetid::agent
