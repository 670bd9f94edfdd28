#include "agent/sensors/registry.h"

#include <array>

namespace oppetid::agent {

std::span<const SensorType> SensorTypes() {
  static constexpr auto kTypes = std::to_array<SensorType>({
      {"borg", MakeBorgSensor, 0},
      {"certificate", MakeCertificateSensor},
      {"dns", MakeDnsSensor},
      {"exec", MakeExecSensor},
      {"files", MakeFilesSensor, 0},
      {"host", MakeHostSensor},
      {"http", MakeHttpSensor},
      {"job", MakeJobSensor, 0},
      {"pgbackrest", MakePgBackRestSensor, 0},
      {"ping", MakePingSensor},
      {"postgres_wal", MakePostgresWalSensor, 0},
      {"process", MakeProcessSensor},
      {"report", MakeReportSensor, 0},
      {"restic", MakeResticSensor, 0},
      {"scrape", MakeScrapeSensor},
      {"tcp", MakeTcpSensor},
  });
  return kTypes;
}

}  // namespace oppetid::agent
