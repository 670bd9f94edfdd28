// mysql.yaml against MariaDB: one server, and one that replicates from it.
#include <boost/asio/ip/tcp.hpp>

#include "absl/strings/ascii.h"
#include "tests/agent/sensors/recipe_fixture.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;

class MysqlRecipeTest : public RecipeFixture {
 protected:
  // A new server that runs `statements`, one a line, when it starts. Small: tests share a disk.
  void Start(const std::string& name, uint16_t port, const std::string& statements,
             std::unique_ptr<ChildProcess>& server) {
    const std::string path = directory_.path() + "/" + name;
    std::vector<std::string> command = As("nobody");
    // Its own: they name what they put there alike.
    const std::string temporary = "--tmpdir=" + directory_.path();
    std::string said;
    ASSERT_EQ(Run(command,
                  {"/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=" + path,
                   "--skip-test-db", "--innodb-log-file-size=4M", temporary},
                  &said),
              0)
        << said;
    command.insert(
        command.end(),
        {"/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + path, "--socket=" + path + ".socket",
         temporary, "--pid-file=" + path + ".pid", "--bind-address=127.0.0.1",
         "--port=" + std::to_string(port), "--innodb-log-file-size=4M",
         "--innodb-buffer-pool-size=8M", "--server-id=" + std::to_string(port), "--log-bin",
         "--init-file=" + Write(name + ".sql", statements)});
    auto started = ChildProcess::Start(command);
    ASSERT_TRUE(started.ok());
    server = std::move(*started);
    ASSERT_NE(server->AwaitLine("ready for connections", Millis(60'000)), "")
        << server->LastLines();
  }

  // Runs statements as the database's administrator; what they give.
  static std::string Sql(uint16_t port, const std::string& statements) {
    std::string said;
    EXPECT_EQ(Run({},
                  {"/usr/bin/mariadb", "--no-defaults", "--host=127.0.0.1", "--user=admin",
                   "--password=secret", "--port=" + std::to_string(port), "--skip-column-names",
                   "--execute=" + statements},
                  &said),
              0)
        << said;
    return std::string(absl::StripAsciiWhitespace(said));
  }

  std::unique_ptr<Sensor> Mysql(uint16_t port, const std::string& options) {
    return FromRecipe("mysql.yaml", "mysql",
                      {{"\"3306\"", Quoted(port)}, {"/etc/oppetid/my.cnf", options}});
  }

  // The file that the recipe describes.
  std::string Options(const std::string& name, const std::string& password, int patience = 8) {
    return Write(name, "[check_mysql]\nuser=oppetid\npassword=" + password +
                           "\nconnect_timeout=" + std::to_string(patience) + "\n");
  }

  const std::string account_ =
      "SET sql_log_bin=0;\n"
      "GRANT ALL ON *.* TO admin@localhost IDENTIFIED BY 'secret' WITH GRANT OPTION;\n"
      "CREATE USER oppetid@localhost IDENTIFIED BY 'right';\n";
  std::unique_ptr<ChildProcess> server_;
};

TEST_F(MysqlRecipeTest, ServesRefusesAndEnds) {
  const std::string right = Options("right.cnf", "right");
  auto sensor = Mysql(port_, right);
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  ASSERT_NO_FATAL_FAILURE(Start("data", port_, account_, server_));
  const Answer answer = AskUntil(*sensor, State::kOk, "Uptime: ");
  EXPECT_TRUE(Value(answer, "plugin_value", {{"label", "Threads_connected"}, {"unit", ""}}));
  // Down or refused, the plugin cannot tell: the sentence does.
  AskUntil(*Mysql(port_, Options("wrong.cnf", "wrong")), State::kCritical,
           "Access denied for user 'oppetid'@'localhost' (using password: YES)");
  AskUntil(*Mysql(port_, directory_.path() + "/none.cnf"), State::kCritical,
           "Access denied for user");
  EXPECT_EQ(server_->Stop(), 0) << server_->LastLines();
  AskUntil(*sensor, State::kCritical, "Can't connect to server on '127.0.0.1'");
}

TEST_F(MysqlRecipeTest, AServerThatAcceptsAndIsSilentIsCritical) {
  const tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  auto sensor = Mysql(silent.local_endpoint().port(), Options("right.cnf", "right", 1));
  AskUntil(*sensor, State::kCritical, "Lost connection to server");
}

TEST_F(MysqlRecipeTest, AReplicaFollowsFallsBehindAndStops) {
  ASSERT_NO_FATAL_FAILURE(Start(
      "primary", port_,
      account_ + "GRANT REPLICATION SLAVE ON *.* TO replica@localhost IDENTIFIED BY 'secret';\n",
      server_));
  const uint16_t port = FreePort<tcp>();
  std::unique_ptr<ChildProcess> replica;
  ASSERT_NO_FATAL_FAILURE(
      Start("replica", port,
            account_ +
                "GRANT REPLICA MONITOR ON *.* TO oppetid@localhost;\n"
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" +
                std::to_string(port_) +
                ", MASTER_USER='replica', MASTER_PASSWORD='secret', MASTER_CONNECT_RETRY=1, "
                "MASTER_USE_GTID=slave_pos;\nSTART SLAVE;\n",
            replica));
  auto sensor = FromRecipe("mysql.yaml", "mysql-replica",
                           {{"replica.example", "127.0.0.1"},
                            {"\"3306\"", Quoted(port)},
                            {"/etc/oppetid/my.cnf", Options("right.cnf", "right")}});
  const Answer follows = AskUntil(*sensor, State::kOk, "Seconds Behind Master: 0");
  EXPECT_EQ(
      Value(follows, "plugin_value", {{"label", "seconds behind master"}, {"unit", "seconds"}}),
      0.0);
  // What was done minutes ago on the primary waits for its turn: so old is the replica.
  const auto fall_behind = [&](int seconds) {
    Sql(port, "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=86400; START SLAVE");
    Sql(port_, "SET timestamp = unix_timestamp() - " + std::to_string(seconds) +
                   "; CREATE DATABASE behind_" + std::to_string(seconds));
  };
  const auto catch_up = [&] {
    Sql(port, "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE");
    const std::string all = Sql(port_, "SELECT @@gtid_binlog_pos");
    EXPECT_EQ(Sql(port, "SELECT MASTER_GTID_WAIT('" + all + "', 60)"), "0");
    AskUntil(*sensor, State::kOk, "Seconds Behind Master: 0");
  };
  fall_behind(100);
  AskUntil(*sensor, State::kWarning, "SLOW_SLAVE WARNING: Slave IO: Yes Slave SQL: Yes");
  catch_up();
  fall_behind(1000);
  AskUntil(*sensor, State::kCritical, "SLOW_SLAVE CRITICAL: Slave IO: Yes Slave SQL: Yes");
  catch_up();
  Sql(port, "STOP SLAVE SQL_THREAD");
  AskUntil(*sensor, State::kCritical, "Slave SQL: No");
  catch_up();
  server_->Stop();
  AskUntil(*sensor, State::kCritical, "Slave IO: Connecting");
  Sql(port, "STOP SLAVE; RESET SLAVE ALL");
  AskUntil(*sensor, State::kWarning, "No slaves defined");
  Sql(port, "REVOKE REPLICA MONITOR ON *.* FROM oppetid@localhost");
  AskUntil(*sensor, State::kCritical, "SLAVE MONITOR privilege");
}

}  // namespace
}  // namespace oppetid::agent
