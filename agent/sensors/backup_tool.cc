#include "agent/sensors/backup_tool.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/async.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxNameInText = 120;
constexpr size_t kMaxPathBytes = 1024;

std::string ExamineSecret(const std::string& path) {
  const std::string name = "`" + OneLine(path, kMaxNameInText) + "`";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return "cannot read the secret " + name + ": " + std::generic_category().message(errno);
  }
  if (!S_ISREG(info.st_mode)) return "the secret " + name + " is not a regular file";
  if ((info.st_mode & 0077) != 0) return "others may read the secret " + name + " (chmod 600)";
  return "";
}

std::optional<Instant> Changed(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FromUnixMillis(info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000);
}

}  // namespace

boost::asio::awaitable<Finished> RunTool(World& world, Command command) {
  Subprocess process(std::move(command), world);
  Finished finished = co_await process.Run();
  co_return finished;
}

boost::asio::awaitable<std::string> SecretFault(World& world, std::string path) {
  std::function<std::string()> work = [path = std::move(path)] { return ExamineSecret(path); };
  std::string fault = co_await OnPool<std::string>(world.pool, std::move(work));
  co_return fault;
}

std::string RunFault(const Finished& finished) {
  if (!finished.fault.empty()) return finished.fault;
  if (finished.signal != 0) return "it died of signal " + std::to_string(finished.signal);
  if (finished.output_cut) return "it printed more than is read; narrow what is asked for";
  return "";
}

std::string ReadPath(YamlMap& config, std::string_view key, std::string_view fallback) {
  std::string path = fallback.empty() ? config.RequiredString(key) : config.String(key, fallback);
  if (path.empty()) return path;
  const bool odd = !path.starts_with('/') || path.size() > kMaxPathBytes ||
                   path.find_first_of("'\"\\") != path.npos ||
                   std::any_of(path.begin(), path.end(),
                               [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (odd) {
    config.Fault(key, "`" + std::string(key) +
                          "`: expected an absolute path without quotes, not `" +
                          OneLine(path, 100) + "`");
  }
  return path;
}

boost::asio::awaitable<std::vector<std::optional<Instant>>> ChangedAt(
    World& world, std::vector<std::string> paths) {
  using Times = std::vector<std::optional<Instant>>;
  std::function<Times()> work = [paths = std::move(paths)] {
    Times times;
    for (const std::string& path : paths) times.push_back(Changed(path));
    return times;
  };
  Times times = co_await OnPool<Times>(world.pool, std::move(work));
  co_return times;
}

}  // namespace oppetid::agent
