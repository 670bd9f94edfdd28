#include "agent/sensors/report_users.h"

#include <pwd.h>

#include <charconv>
#include <vector>

#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxUsers = 64;
constexpr size_t kMaxEntryBytes = 64 * 1024;  // of the user database

std::optional<uid_t> FindUser(const std::string& name) {
  uid_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  if (error == std::errc() && stop == end) return number;
  std::vector<char> buffer(kMaxEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

}  // namespace

std::set<uid_t> ReadReportUsers(YamlMap& config) {
  std::set<uid_t> users;
  const std::vector<std::string> names = config.Strings("users");
  if (!config.Has("users")) return {0};
  if (names.empty() || names.size() > kMaxUsers) {
    config.Fault("users", "`users`: 1 to 64 names of users on this machine");
  }
  for (const std::string& name : names) {
    if (const auto user = FindUser(name)) {
      users.insert(*user);
    } else {
      config.Fault("users", "`users`: there is no user `" + OneLine(name, 60) + "` here");
    }
  }
  return users;
}

}  // namespace oppetid::agent
