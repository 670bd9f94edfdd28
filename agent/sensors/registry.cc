#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"http", MakeHttpSensor},
      {"ping", MakePingSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
