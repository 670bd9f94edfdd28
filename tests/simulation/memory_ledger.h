// A ledger in memory, which can be copied: a simulation takes its backups that way and restores
// them. It passes the contract that every engine passes (tests/contract/ledger_contract.h).
//
// What it stores lies in an image that outlives the ledger, as a file does. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "collector/ledger/ledger.h"

namespace oppetid::simulation {

struct LedgerPiece {
  int64_t from = 0, to = 0, recorded_at = 0;
  std::string reason;
};

struct LedgerImage {
  // (host, check), then (since, state); a gap has a state of its own.
  using Key = std::pair<int64_t, int>;
  using Pieces = std::map<Key, std::vector<LedgerPiece>>;
  static constexpr int kGap = 4;

  std::string id;
  int64_t newest_record = 0;
  std::map<std::pair<std::string, std::string>, Pieces> checks;
  std::map<std::string, collector::AgentRow> agents;
  // By host, job, whether it is a restore test, and start.
  using BackupKey = std::tuple<std::string, std::string, bool, int64_t>;
  std::map<BackupKey, collector::StoredBackupRun> backups;
  std::vector<collector::Act> acts;
  bool newer_schema = false;
  bool full = false;  // writes fail
};

// Opens what lies there.
absl::StatusOr<std::unique_ptr<collector::Ledger>> OpenMemoryLedger(
    std::shared_ptr<LedgerImage> image);

}  // namespace oppetid::simulation
