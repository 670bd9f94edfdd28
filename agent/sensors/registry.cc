#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"borg", MakeBorgSensor},
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"files", MakeFilesSensor},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"job", MakeJobSensor},
      {"pgbackrest", MakePgBackRestSensor},
      {"ping", MakePingSensor},
      {"postgres_wal", MakePostgresWalSensor},
      {"process", MakeProcessSensor},
      {"report", MakeReportSensor},
      {"restic", MakeResticSensor},
      {"scrape", MakeScrapeSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
