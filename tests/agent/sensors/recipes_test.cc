// ldap.yaml and postgresql.yaml against slapd and PostgreSQL.
#include "tests/agent/sensors/recipe_fixture.h"

namespace oppetid::agent {
namespace {

using RecipesTest = RecipeFixture;

TEST_F(RecipesTest, Ldap) {
  const std::string configuration = Write("slapd.conf", "include /etc/ldap/schema/core.schema\n");
  auto sensor = FromRecipe("ldap.yaml", "ldap", {{"\"389\"", Quoted(port_)}});
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  auto server = ChildProcess::Start({"/usr/sbin/slapd", "-d", "0", "-f", configuration, "-h",
                                     "ldap://127.0.0.1:" + std::to_string(port_) + "/"});
  ASSERT_TRUE(server.ok());
  AskUntil(*sensor, State::kOk, "LDAP OK");
}

TEST_F(RecipesTest, PostgreSql) {
  const std::string data = directory_.path() + "/data";
  std::vector<std::string> command = As("postgres");
  std::string said;
  ASSERT_EQ(Run(command,
                {"/usr/lib/postgresql/15/bin/initdb", "-N", "-U", "oppetid", "-A", "scram-sha-256",
                 "--pwfile=" + Write("password", "right\n"), "--locale=C.UTF-8", "-D", data},
                &said),
            0)
      << said;
  command.insert(command.end(), {"/usr/lib/postgresql/15/bin/postgres", "-D", data, "-F", "-p",
                                 std::to_string(port_), "-c", "listen_addresses=127.0.0.1", "-c",
                                 "unix_socket_directories="});
  const FromTo port = {"\"5432\"", Quoted(port_)};
  const std::string whose = "127.0.0.1:" + std::to_string(port_) + ":postgres:oppetid:";
  const FromTo right = {"/etc/oppetid/pgpass", Write("right", whose + "right\n")};
  const FromTo wrong = {"/etc/oppetid/pgpass", Write("wrong", whose + "wrong\n")};
  auto sensor = FromRecipe("postgresql.yaml", "postgresql", {port, right});
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  auto server = ChildProcess::Start(command);
  ASSERT_TRUE(server.ok());
  ASSERT_NE((*server)->AwaitLine("ready to accept connections", Millis(30'000)), "")
      << (*server)->LastLines();
  AskUntil(*sensor, State::kOk, "database postgres");
  auto used = FromRecipe("postgresql.yaml", "postgresql-connections", {port, right});
  const Answer connections = Ask(*used);
  EXPECT_EQ(connections.state, State::kOk) << connections.text;
  EXPECT_GT(Value(connections, "plugin_value", {{"label", "query"}, {"unit", ""}}), 0.0);
  AskUntil(*FromRecipe("postgresql.yaml", "postgresql", {port, wrong}), State::kCritical,
           "password authentication failed for user \"oppetid\"");
  (*server)->Stop();
  AskUntil(*sensor, State::kCritical, "Connection refused");
}

}  // namespace
}  // namespace oppetid::agent
