// Tests of sensors on a PostgreSQL server of their own, whose archiver can be told what to do.
#pragma once

#include <string>

#include "tests/support/backup_fixture.h"
#include "tests/support/postgres_cluster.h"

namespace oppetid::agent {

class PostgresTest : public BackupFixture {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new PostgresCluster;
    cluster_->Start();
  }
  static void TearDownTestSuite() { delete cluster_; }
  static std::string Dir() { return cluster_->directory(); }

  // Waits in the server until the condition over pg_stat_archiver holds.
  static int Await(const std::string& condition) {
    return cluster_->Sql(
        "DO $$ BEGIN FOR i IN 1..2000 LOOP\n"
        "IF (SELECT " +
        condition +
        " FROM pg_stat_archiver) THEN RETURN; END IF;\n"
        "PERFORM pg_sleep(0.02); PERFORM pg_stat_clear_snapshot(); END LOOP;\n"
        "RAISE EXCEPTION 'it never happened'; END $$;");
  }
  static int ArchiveWith(const std::string& command) {
    return cluster_->Sql("ALTER SYSTEM SET archive_command = '" + command +
                         "';\nSELECT pg_reload_conf();");
  }
  // Ends a segment that has something in it.
  static int Switch() {
    return cluster_->Sql(
        "SELECT pg_logical_emit_message(false, 'test', 'x');\n"
        "SELECT pg_switch_wal();");
  }

  inline static PostgresCluster* cluster_ = nullptr;
};

}  // namespace oppetid::agent
