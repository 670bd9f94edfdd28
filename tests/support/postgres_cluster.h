// A PostgreSQL server of a test's own: a cluster in a temporary directory, reached through a socket
// in it and nowhere else, run as an unprivileged user (PostgreSQL refuses root).
//
// Lifetime: the destructor stops the server; it also dies with its parent.
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace oppetid {

class PostgresCluster {
 public:
  // Aborts the test program when the server does not come up: nothing could be tested.
  PostgresCluster();
  ~PostgresCluster();

  // World-readable, and the server's user may write there.
  std::string directory() const { return directory_.path(); }
  std::string data() const { return directory_.path() + "/data"; }

  // Runs a shell script as the server's user, with the server's programs in PATH and
  // PGHOST and PGUSER set; the exit code.
  int As(const std::string& script) const;
  // As the superuser; the exit code.
  int Sql(const std::string& statement) const;

  void Start();
  void Stop();

 private:
  std::string Bin(const std::string& program) const { return bin_ + "/" + program; }

  TempDir directory_;
  std::string bin_;
  std::string as_;  // the prefix that changes the user, for a shell
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace oppetid
