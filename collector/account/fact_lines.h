// Facts as lines of history.jsonl, newline included.
//
// Pure, safe from any thread.
#pragma once

#include <string>

#include "collector/ledger/ledger.h"
#include "collector/sla/facts.h"

namespace oppetid::collector {

std::string SpanJson(const StoredSpan& span);
std::string BackupRunJson(const StoredBackupRun& run);
std::string MaintenanceJson(const Maintenance& window);
std::string CorrectionJson(const Correction& correction);
std::string RevocationJson(const Revocation& revocation);

}  // namespace oppetid::collector
