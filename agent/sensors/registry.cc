#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"active_directory", MakeActiveDirectorySensor},
      {"antivirus", MakeAntivirusSensor},
      {"borg", MakeBorgSensor, 0, true},
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"files", MakeFilesSensor, 0, true},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"hwmon", MakeHwmonSensor},
      {"ipmi", MakeIpmiSensor},
      {"job", MakeJobSensor, 0},
      {"link", MakeLinkSensor},
      {"nut", MakeNutSensor},
      {"pgbackrest", MakePgBackRestSensor, 0, true},
      {"ping", MakePingSensor},
      {"postgres_wal", MakePostgresWalSensor, 0, true},
      {"process", MakeProcessSensor},
      {"report", MakeReportSensor, 0},
      {"restic", MakeResticSensor, 0, true},
      {"scrape", MakeScrapeSensor},
      {"smart", MakeSmartSensor},
      {"snmp", MakeSnmpSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
