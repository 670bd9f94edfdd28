#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"antivirus", MakeAntivirusSensor},
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"hwmon", MakeHwmonSensor},
      {"ipmi", MakeIpmiSensor},
      {"link", MakeLinkSensor},
      {"nut", MakeNutSensor},
      {"ping", MakePingSensor},
      {"process", MakeProcessSensor},
      {"scrape", MakeScrapeSensor},
      {"smart", MakeSmartSensor},
      {"snmp", MakeSnmpSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
