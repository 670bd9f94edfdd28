#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"exec", MakeExecSensor},
      {"host", MakeHostSensor},
      {"process", MakeProcessSensor},
      {"scrape", MakeScrapeSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
