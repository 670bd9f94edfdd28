// The ledger's tables, and how an older file becomes one of today.
//
// A schema is never edited once a program with it has been released: the next one is a step of its
// own. Steps only add, so that no fact is lost by an upgrade. Threading: as the database's.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "collector/ledger/sqlite_db.h"

namespace oppetid::collector {

// A gap is stored beside the runs, under a state of its own; the others are those of State.
inline constexpr int64_t kGapState = 4;

// Brings the file to today's schema, each step in a transaction. Refuses one of a newer program.
absl::Status Migrate(Database& db, const std::string& path);

// For readers, which change nothing: whether the file has today's schema.
absl::Status CheckSchema(Database& db, const std::string& path);

}  // namespace oppetid::collector
