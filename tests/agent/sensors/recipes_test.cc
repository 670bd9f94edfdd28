// The recipes of deploy/recipes, word for word but for host and port, against real servers.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;

class RecipesTest : public SensorFixture {
 protected:
  // The check `name` of a recipe, with each `from` in the file replaced by `to`.
  std::unique_ptr<Sensor> FromRecipe(const std::string& file, const std::string& name,
                                     const std::string& from, const std::string& to) {
    std::ostringstream content;
    content << std::ifstream(OPPETID_SOURCE_DIR "/deploy/recipes/" + file).rdbuf();
    std::string text = content.str();
    for (size_t at; (at = text.find(from)) != std::string::npos;) {
      text.replace(at, from.size(), to);
    }
    Faults faults(file);
    yaml_ = ParseYaml(text, faults);
    YamlMap root(yaml_, faults);
    std::unique_ptr<Sensor> found;
    for (YamlMap& check : root.Maps("checks")) {
      if (check.RequiredString("name") != name) continue;
      EXPECT_EQ(check.RequiredString("sensor"), "exec");
      found = MakeExecSensor(check, world_);
    }
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    EXPECT_TRUE(found) << name;
    return found;
  }

  // Asks until it is no longer critical: a server takes a moment to listen.
  Answer AskUntilServed(Sensor& sensor) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    Answer answer = Ask(sensor);
    while (answer.state == State::kCritical && std::chrono::steady_clock::now() < end) {
      answer = Ask(sensor);
    }
    return answer;
  }

  static std::string Quoted(uint16_t port) { return "\"" + std::to_string(port) + "\""; }

  TempDir directory_;
  uint16_t port_ = FreePort<tcp>();
  Yaml yaml_;
};

TEST_F(RecipesTest, Smtp) {
  auto sensor = FromRecipe("smtp.yaml", "smtp", "\"25\"", Quoted(port_));
  const Answer refused = Ask(*sensor);
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("refused"));
  auto server = ChildProcess::Start({"/usr/bin/msmtpd", "--port=" + std::to_string(port_)});
  ASSERT_TRUE(server.ok());
  const Answer answer = AskUntilServed(*sensor);
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("SMTP OK"));
  EXPECT_TRUE(Value(answer, "plugin_value", {{"label", "time"}, {"unit", "seconds"}}));
}

TEST_F(RecipesTest, Ldap) {
  const std::string& path = directory_.path();
  std::ofstream(path + "/slapd.conf") << "include /etc/ldap/schema/core.schema\n";
  auto sensor = FromRecipe("ldap.yaml", "ldap", "\"389\"", Quoted(port_));
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  auto server = ChildProcess::Start({"/usr/sbin/slapd", "-d", "0", "-f", path + "/slapd.conf", "-h",
                                     "ldap://127.0.0.1:" + std::to_string(port_) + "/"});
  ASSERT_TRUE(server.ok());
  const Answer answer = AskUntilServed(*sensor);
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("LDAP OK"));
}

TEST_F(RecipesTest, PostgreSql) {
  const std::string data = directory_.path() + "/data";
  std::filesystem::create_directory(data);
  std::vector<std::string> command;
  if (::geteuid() == 0) {  // PostgreSQL refuses to run as root
    const passwd* user = ::getpwnam("postgres");
    ASSERT_NE(user, nullptr);
    ASSERT_EQ(::chown(data.c_str(), user->pw_uid, user->pw_gid), 0);
    ::chmod(directory_.path().c_str(), 0755);
    command = {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
  }
  std::string prefix;
  for (const std::string& word : command) prefix += word + " ";
  const std::string initdb = "cd / && " + prefix +
                             "/usr/lib/postgresql/15/bin/initdb -N -U oppetid -A trust "
                             "--locale=C.UTF-8 -D " +
                             data + " >/dev/null";
  ASSERT_EQ(std::system(initdb.c_str()), 0);
  command.insert(command.end(), {"/usr/lib/postgresql/15/bin/postgres", "-D", data, "-F", "-p",
                                 std::to_string(port_), "-c", "listen_addresses=127.0.0.1", "-c",
                                 "unix_socket_directories="});
  auto sensor = FromRecipe("postgresql.yaml", "postgresql", "\"5432\"", Quoted(port_));
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  auto server = ChildProcess::Start(command);
  ASSERT_TRUE(server.ok());
  ASSERT_NE((*server)->AwaitLine("ready to accept connections", Millis(30'000)), "")
      << (*server)->LastLines();
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("database postgres"));
  auto used = FromRecipe("postgresql.yaml", "postgresql-connections", "\"5432\"", Quoted(port_));
  const Answer connections = Ask(*used);
  EXPECT_EQ(connections.state, State::kOk) << connections.text;
  EXPECT_GT(Value(connections, "plugin_value", {{"label", "query"}, {"unit", ""}}), 0.0);
}

}  // namespace
}  // namespace oppetid::agent
