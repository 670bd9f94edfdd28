// process: do as many processes run as should? Counts those whose name, or whole command line,
// matches a regular expression; critical when there are too few or too many. Zombies do not count:
// they serve nobody.
//
// The name (/proc/PID/comm) is what the kernel keeps, at most 15 bytes; who needs more matches the
// command line. The walk runs on the pool, because the command line of a stuck process may not be
// readable until it is stuck no more.
#include <dirent.h>
#include <fcntl.h>
#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr int64_t kMaxProcesses = 1'000'000;
// What is matched of a command line; a Java server's has 2 kB and names itself in the first one.
constexpr size_t kMaxCommandBytes = 4096;
constexpr int64_t kMaxRegexMemory = 1 << 20;

struct ProcessCount {
  std::string error;  // why nothing could be counted
  int64_t count = 0;
};

// What the walk on the pool shares with the sensor.
struct Walk {
  std::string proc;  // the directory
  std::unique_ptr<RE2> match;
  bool against_command = false;
  std::atomic<bool> under_way{false};
};

// The beginning of /proc/PID/FILE; empty when it cannot be read (the process may have ended).
template <size_t N>
std::string_view ReadBeginning(int proc, const char* pid, const char* file,
                               std::array<char, N>& buffer) {
  std::array<char, 32> path{};
  const size_t pid_size = std::strlen(pid);
  const size_t file_size = std::strlen(file);
  if (pid_size + 1 + file_size >= path.size()) return {};
  std::memcpy(path.data(), pid, pid_size);
  path[pid_size] = '/';
  std::memcpy(path.data() + pid_size + 1, file, file_size);
  const int fd = ::openat(proc, path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return {buffer.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

// The state stands behind the name, which may itself hold brackets: behind the last one.
bool IsDead(int proc, const char* pid) {
  std::array<char, 512> buffer;
  const std::string_view stat = ReadBeginning(proc, pid, "stat", buffer);
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return true;  // ended
  const char state = stat[name_end + 2];
  return state == 'Z' || state == 'X';
}

bool Matches(const Walk& walk, int proc, const char* pid) {
  std::array<char, kMaxCommandBytes> buffer;
  std::string_view text;
  if (walk.against_command) {
    text = ReadBeginning(proc, pid, "cmdline", buffer);
    while (text.ends_with('\0')) text.remove_suffix(1);
    if (text.empty()) return false;  // a thread of the kernel, or a zombie
    std::replace(buffer.data(), buffer.data() + text.size(), '\0', ' ');
  } else {
    text = ReadBeginning(proc, pid, "comm", buffer);
    if (text.empty()) return false;
    if (text.ends_with('\n')) text.remove_suffix(1);
  }
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *walk.match) &&
         !IsDead(proc, pid);
}

ProcessCount CountProcesses(Walk& walk) {
  ProcessCount result;
  DIR* dir = ::opendir(walk.proc.c_str());
  if (dir == nullptr) {
    result.error = "cannot read " + walk.proc + ": " + std::strerror(errno);
    return result;
  }
  const int proc = ::dirfd(dir);
  std::array<char, 64> buffer;
  if (ReadBeginning(proc, "1", "comm", buffer).empty()) {
    // Every /proc has process 1, unless it shows everybody only their own (hidepid).
    result.error = walk.proc + " hides the processes of others (mount option hidepid)";
  }
  while (const dirent* entry = result.error.empty() ? ::readdir(dir) : nullptr) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (Matches(walk, proc, entry->d_name)) ++result.count;
  }
  ::closedir(dir);
  return result;
}

struct Bounds {
  int64_t at_least = 1;
  std::optional<int64_t> at_most;
};

class ProcessSensor : public Sensor {
 public:
  ProcessSensor(std::shared_ptr<Walk> walk, Bounds bounds, World& world)
      : walk_(std::move(walk)), bounds_(bounds), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    if (walk_->under_way.exchange(true)) {
      answer.text = "an earlier look at the processes has not come back yet";
      co_return answer;
    }
    std::function<ProcessCount()> work = [walk = walk_] {
      ProcessCount count = CountProcesses(*walk);
      walk->under_way = false;
      return count;
    };
    const ProcessCount counted = co_await OnPool(world_.pool, std::move(work));
    if (!counted.error.empty()) {
      answer.text = OneLine(counted.error);
      co_return answer;
    }
    answer.samples.push_back({"process_count", {}, static_cast<double>(counted.count)});
    Judge(counted.count, answer);
    co_return answer;
  }

 private:
  void Judge(int64_t count, Answer& answer) const {
    answer.text = std::to_string(count) + (count == 1 ? " process" : " processes");
    answer.state = State::kOk;
    if (count < bounds_.at_least) {
      answer.state = State::kCritical;
      answer.text += ", fewer than " + std::to_string(bounds_.at_least);
    } else if (bounds_.at_most && count > *bounds_.at_most) {
      answer.state = State::kCritical;
      answer.text += ", more than " + std::to_string(*bounds_.at_most);
    }
  }

  const std::shared_ptr<Walk> walk_;
  const Bounds bounds_;
  World& world_;
};

std::unique_ptr<RE2> ReadRegex(YamlMap& config, std::string_view key) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxRegexMemory);
  const std::string pattern = config.RequiredString(key);
  auto regex = std::make_unique<RE2>(pattern, options);
  if (!regex->ok()) {
    config.Fault(key,
                 "`" + std::string(key) + "`: `" + OneLine(pattern, 60) +
                     "` is not a regular expression (RE2 syntax): " + OneLine(regex->error(), 100));
  }
  return regex;
}

}  // namespace

std::unique_ptr<Sensor> MakeProcessSensor(YamlMap& config, World& world) {
  auto walk = std::make_shared<Walk>();
  walk->proc = world.root + "/proc";
  walk->match = ReadRegex(config, "match");
  walk->against_command = config.OneOf("against", {"name", "command"}, "name") == "command";
  Bounds bounds;
  bounds.at_most = config.Int("at_most", 0, kMaxProcesses);
  // Who says `at_most: 0` wants none of them.
  const int64_t fallback = bounds.at_most == 0 ? 0 : 1;
  bounds.at_least = config.Int("at_least", 0, kMaxProcesses, fallback);
  if (bounds.at_most && *bounds.at_most < bounds.at_least) {
    config.Fault("at_most", "`at_most` must not be below `at_least`, which is " +
                                std::to_string(bounds.at_least));
  }
  if (bounds.at_least == 0 && !bounds.at_most) {
    config.Fault("at_least", "`at_least: 0` without `at_most` would always be ok");
  }
  return std::make_unique<ProcessSensor>(std::move(walk), bounds, world);
}

}  // namespace oppetid::agent
