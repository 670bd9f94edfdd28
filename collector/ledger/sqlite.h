// The ledger in one SQLite file (WAL, synchronous=FULL): a commit is on the disk when it returns.
#pragma once

#include <memory>
#include <string>

#include "collector/ledger/ledger.h"

namespace oppetid::collector {

// Opens or makes the ledger. Refuses a file of a newer schema, and one that SQLite finds damaged.
absl::StatusOr<std::unique_ptr<Ledger>> OpenSqliteLedger(const std::string& path);

// Opens an existing ledger for reading only, also beside a running collector.
absl::StatusOr<std::unique_ptr<LedgerReader>> OpenSqliteReader(const std::string& path);

}  // namespace oppetid::collector
