#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"active_directory", MakeActiveDirectorySensor},
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"ping", MakePingSensor},
      {"process", MakeProcessSensor},
      {"scrape", MakeScrapeSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
