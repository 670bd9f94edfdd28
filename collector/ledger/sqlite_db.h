// SQLite behind a thin wrapper: statements that bind and read, errors as absl::Status.
//
// Threading: a Database and its statements belong to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace oppetid::collector {

class Statement {
 public:
  Statement() = default;
  // Parameters count from 1.
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view value);
  // Steps to the next row: true with a row, false at the end. After an error or the end the statement
  // is reset and can be bound anew.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();
  void Reset();
  // Columns of the current row count from 0.
  int64_t Int(int column) const;
  std::string Text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  static absl::StatusOr<Database> Open(const std::string& path, bool read_only);
  absl::Status Execute(const char* sql);
  absl::StatusOr<Statement> Prepare(const char* sql);
  absl::StatusOr<int64_t> QueryInt(const char* sql);
  absl::StatusOr<std::string> QueryText(const char* sql);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, CloseDatabase> db_;
};

}  // namespace oppetid::collector
