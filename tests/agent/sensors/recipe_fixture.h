// The recipes of deploy/recipes as they are shipped, asked of real servers: only host, port and
// where a secret lies are replaced.
//
// Servers refuse to run as root. A test that is root gives their directory and process to a user
// of little rights; otherwise they run as whoever runs the test. One thread; the directory goes
// with the fixture.
#pragma once

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {

class RecipeFixture : public SensorFixture {
 protected:
  using FromTo = std::pair<std::string, std::string>;

  // The check `name` of a recipe. Each `from` must be in the file.
  std::unique_ptr<Sensor> FromRecipe(const std::string& file, const std::string& name,
                                     const std::vector<FromTo>& replacements) {
    std::ostringstream content;
    content << std::ifstream(OPPETID_SOURCE_DIR "/deploy/recipes/" + file).rdbuf();
    std::string text = content.str();
    for (const auto& [from, to] : replacements) {
      EXPECT_GT(absl::StrReplaceAll({{from, to}}, &text), 0) << from;
    }
    Faults faults(file);
    yaml_ = ParseYaml(text, faults);
    YamlMap root(yaml_, faults);
    std::unique_ptr<Sensor> found;
    for (YamlMap& check : root.Maps("checks")) {
      if (check.RequiredString("name") != name) continue;
      const std::string wanted = check.RequiredString("sensor");
      for (const SensorType& type : SensorTypes()) {
        if (type.name == wanted) found = type.make(check, world_);
      }
    }
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    EXPECT_TRUE(found) << name;
    return found;
  }

  // Asks until it says so: a server takes a moment to listen, and to end.
  Answer AskUntil(Sensor& sensor, State state, const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const auto says = [&](const Answer& answer) {
      return answer.state == state && answer.text.find(text) != std::string::npos;
    };
    Answer answer = Ask(sensor);
    while (!says(answer) && std::chrono::steady_clock::now() < end) answer = Ask(sensor);
    EXPECT_TRUE(says(answer)) << answer.text;
    return answer;
  }

  // What goes before the command of a server; as root, `user` gets the directory.
  std::vector<std::string> As(const std::string& user) {
    if (::geteuid() != 0) return {};
    const passwd* entry = ::getpwnam(user.c_str());
    EXPECT_NE(entry, nullptr) << user;
    if (entry == nullptr) return {};
    uid_ = entry->pw_uid;
    gid_ = entry->pw_gid;
    EXPECT_EQ(::chown(directory_.path().c_str(), uid_, gid_), 0);
    return {"/usr/bin/setpriv", "--reuid=" + user, "--regid=" + std::to_string(gid_),
            "--clear-groups", "--pdeathsig=KILL"};
  }

  // A file that only the server's user reads.
  std::string Write(const std::string& name, const std::string& text) {
    std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    EXPECT_EQ(::chown(path.c_str(), uid_, gid_), 0);  // to -1: stays as it is
    return path;
  }

  // Runs a tool to its end, as the server's user; its exit code, and what it said in `said`.
  static int Run(std::vector<std::string> prefix, const std::vector<std::string>& command,
                 std::string* said) {
    prefix.insert(prefix.end(), command.begin(), command.end());
    std::string line = "cd / && { ";
    for (const std::string& word : prefix) {
      line += "'" + absl::StrReplaceAll(word, {{"'", "'\\''"}}) + "' ";
    }
    line += "; } 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    if (pipe == nullptr) return -1;
    char buffer[4096];
    said->clear();
    while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) said->append(buffer, got);
    return ::pclose(pipe);
  }

  static std::string Quoted(uint16_t port) { return "\"" + std::to_string(port) + "\""; }

  TempDir directory_;
  uint16_t port_ = FreePort<boost::asio::ip::tcp>();

 private:
  static constexpr uid_t kUnchanged = static_cast<uid_t>(-1);

  uid_t uid_ = kUnchanged;
  gid_t gid_ = static_cast<gid_t>(-1);
  Yaml yaml_;
};

}  // namespace oppetid::agent
