// Care for a ledger's file: a consistent copy, a check from end to end, a hash of its facts.
//
// All of it reads only, also beside a running collector. Threading: none; calls take as long as the
// file is large.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/ledger/ledger.h"

namespace oppetid::collector {

// Writes one committed state of `ledger` to the new file `copy`, synced; what is written after the
// start is not in it. `copy` appears whole or not at all, and must not exist.
absl::Status BackUpLedger(const std::string& ledger, const std::string& copy);
// Where BackUpLedger writes before `copy` appears.
std::string UnfinishedCopy(const std::string& copy);

struct LedgerSummary {
  std::string id;
  uint64_t agents = 0, spans = 0, backup_runs = 0, tickets = 0, acts = 0;
  ChainHead head;
};

// Reads everything: SQLite's own integrity, the audit chain, and every fact. The error says what is
// wrong.
absl::StatusOr<LedgerSummary> VerifyLedger(const std::string& path);

// SHA-256, as 64 hex digits, over the ledger's id, every span, backup run, ticket and act as lines
// in their order: equal for a ledger and its copy, different when any fact differs.
absl::StatusOr<std::string> HashLedger(const std::string& path);

}  // namespace oppetid::collector
