#include "agent/sensors/host_updates.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using Knowledge = PendingUpdates::Knowledge;

// An installation changes the state many times within seconds; and an agent that has just been
// started has better things to do than to simulate.
constexpr std::chrono::seconds kRest{60};
// Between simulations, so that a machine under continuous installation is not slowed by them.
constexpr std::chrono::minutes kPause{15};
// Three seconds on a common server without a package cache.
constexpr Millis kDeadline = std::chrono::minutes(2);
// 150 bytes for each of 10,000 packages, twice.
constexpr size_t kMaxOutput = 4'000'000;
constexpr int kSliceMs = 100;  // how soon a cancelled simulation ends
constexpr int kLowestPriority = 19;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// A child whose output is read; killed with its group and waited for at the end.
class Child {
 public:
  ~Child() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      while (!Wait(0)) {
      }
    }
    if (out_ >= 0) ::close(out_);
  }
  absl::Status Start(const std::vector<std::string>& command);
  // Appends what is there within a slice; true at the end of the output.
  absl::StatusOr<bool> Read(std::string& output);
  // Whether it has ended; then `exit_code` tells how.
  bool Wait(int options);
  int exit_code() const { return exit_code_; }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int exit_code_ = -1;
};

absl::Status Child::Start(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  out_ = ends[0];
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  ::posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t how;
  ::posix_spawnattr_init(&how);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&how, &none);
  ::posix_spawnattr_setsigdefault(&how, &all);
  ::posix_spawnattr_setpgroup(&how, 0);
  ::posix_spawnattr_setflags(
      &how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<std::string, 2> settings = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  std::array<char*, 3> env = {settings[0].data(), settings[1].data(), nullptr};
  const int error = ::posix_spawn(&pid_, argv[0], &files, &how, argv.data(), env.data());
  ::posix_spawnattr_destroy(&how);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  if (error != 0) {
    pid_ = -1;
    return absl::ErrnoToStatus(error, "start " + command[0]);
  }
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid_), kLowestPriority);
  return absl::OkStatus();
}

absl::StatusOr<bool> Child::Read(std::string& output) {
  pollfd poll{out_, POLLIN, 0};
  if (::poll(&poll, 1, kSliceMs) <= 0) return false;
  std::array<char, 16384> buffer{};
  const ssize_t got = ::read(out_, buffer.data(), buffer.size());
  if (got < 0)
    return errno == EINTR ? absl::StatusOr<bool>(false) : absl::ErrnoToStatus(errno, "read output");
  if (output.size() + static_cast<size_t>(got) > kMaxOutput) {
    return absl::ResourceExhaustedError("more than 4 MB of output");
  }
  output.append(buffer.data(), static_cast<size_t>(got));
  return got == 0;
}

bool Child::Wait(int options) {
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, options);
  if (got == 0 || (got < 0 && errno == EINTR)) return false;
  exit_code_ = got > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  pid_ = -1;
  return true;
}

int64_t ModifiedNs(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return -1;
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace

// Inst PACKAGE [OLD] (NEW ORIGIN:RELEASE/SUITE [ARCH]); without [OLD] the package would be new.
UpdateCounts ParseSimulation(std::string_view output) {
  UpdateCounts counts;
  while (!output.empty()) {
    const size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    const size_t old = line.find(" [");
    const size_t open = line.find(" (");
    if (!line.starts_with("Inst ") || open == std::string_view::npos || old > open) continue;
    const size_t origin = line.find(' ', open + 2);
    const size_t close = line.find(')', open);
    if (origin == std::string_view::npos || origin > close) continue;
    const bool security =
        Lower(line.substr(origin, close - origin)).find("security") != std::string::npos;
    ++(security ? counts.security : counts.other);
  }
  return counts;
}

absl::StatusOr<std::string> RunAptSimulation(const std::atomic<bool>& cancelled) {
  return ReadOutput({"/usr/bin/apt-get", "-qq", "-s", "dist-upgrade"}, kDeadline, cancelled);
}

absl::StatusOr<std::string> ReadOutput(const std::vector<std::string>& command, Millis deadline,
                                       const std::atomic<bool>& cancelled) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  Child child;
  if (auto status = child.Start(command); !status.ok()) return status;
  std::string output;
  bool all_read = false;
  while (!all_read || !child.Wait(WNOHANG)) {
    if (cancelled) return absl::CancelledError("the agent ends");
    if (std::chrono::steady_clock::now() >= end) {
      return absl::DeadlineExceededError(command[0] + " has not ended within " +
                                         FormatDuration(deadline));
    }
    if (all_read) {
      ::poll(nullptr, 0, 1);  // between the end of its output and its own
      continue;
    }
    auto at_end = child.Read(output);
    if (!at_end.ok()) return at_end.status();
    all_read = *at_end;
  }
  if (child.exit_code() != 0) {
    return absl::UnavailableError(command[0] + " ended with code " +
                                  std::to_string(child.exit_code()));
  }
  return output;
}

PendingUpdates::PendingUpdates(World& world, SimulateUpgrade simulate)
    : world_(world), simulate_(std::move(simulate)) {}

PendingUpdates::~PendingUpdates() { shared_->cancelled = true; }

bool PendingUpdates::ReadStamp(Stamp& stamp) const {
  stamp.status_ns = ModifiedNs(world_.root + "/var/lib/dpkg/status");
  stamp.lists_ns = ModifiedNs(world_.root + "/var/lib/apt/lists");
  return stamp.status_ns >= 0 && stamp.lists_ns >= 0;
}

// Without lists apt sees no updates, which does not mean that there are none.
bool PendingUpdates::HasLists() const {
  DIR* dir = ::opendir((world_.root + "/var/lib/apt/lists").c_str());
  if (dir == nullptr) return false;
  bool found = false;
  while (const dirent* entry = ::readdir(dir)) {
    found = found || std::string_view(entry->d_name).ends_with("Release");
  }
  ::closedir(dir);
  return found;
}

void PendingUpdates::Look() {
  const Steady now = world_.clock.SteadyNow();
  Stamp stamp;
  if (!ReadStamp(stamp)) {
    shared_->knowledge = Knowledge::kNoPackages;
    seen_ = {};
    simulated_ = {};
    return;
  }
  if (stamp != seen_) {
    seen_ = stamp;
    seen_at_ = now;
    if (!HasLists()) {
      shared_->knowledge = Knowledge::kNoPackages;
      simulated_ = stamp;  // nothing to simulate until the state changes again
    } else if (shared_->knowledge == Knowledge::kNoPackages) {
      shared_->knowledge = Knowledge::kNotYet;
    }
  }
  const bool due = seen_ != simulated_ || shared_->knowledge == Knowledge::kFailed;
  if (!due || shared_->under_way || now - seen_at_ < kRest || now < not_before_) return;
  not_before_ = now + kPause;
  Start();
}

void PendingUpdates::Start() {
  simulated_ = seen_;
  shared_->under_way = true;
  world_.pool.Post([shared = shared_, simulate = simulate_, executor = world_.executor] {
    const auto output = simulate(shared->cancelled);
    const UpdateCounts counts = output.ok() ? ParseSimulation(*output) : UpdateCounts{};
    if (!output.ok() && !shared->cancelled) {
      LogWarning("pending updates are not known",
                 {{"error", OneLine(std::string(output.status().message()))}});
    }
    asio::post(executor, [shared, counts, ok = output.ok()] {
      shared->under_way = false;
      shared->counts = counts;
      shared->knowledge = ok ? Knowledge::kCounted : Knowledge::kFailed;
    });
  });
}

}  // namespace oppetid::agent
