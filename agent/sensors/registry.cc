#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"link", MakeLinkSensor},
      {"nut", MakeNutSensor},
      {"ping", MakePingSensor},
      {"process", MakeProcessSensor},
      {"scrape", MakeScrapeSensor},
      {"snmp", MakeSnmpSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
