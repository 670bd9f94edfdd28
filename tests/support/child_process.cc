#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/status/status.h"

namespace oppetid {
namespace {

// Enough for every line a test awaits; the oldest go first.
constexpr size_t kMaxLines = 20'000;
constexpr Millis kStopWithin{15'000};

// Between fork and exec: only what is safe there.
[[noreturn]] void Become(char* const* arguments, int log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(log, STDERR_FILENO);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& one : command) arguments.push_back(one.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
  const pid_t pid = ::fork();
  if (pid == 0) Become(arguments.data(), ends[1]);
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return absl::InternalError(std::strerror(errno));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, ends[0]));
}

ChildProcess::ChildProcess(pid_t pid, int log)
    : pid_(pid), log_(log), reader_([this] { Read(); }) {}

ChildProcess::~ChildProcess() {
  Stop();
  reader_.join();
  ::close(log_);
}

void ChildProcess::Read() {
  std::string rest;
  std::array<char, 16'384> buffer;
  for (;;) {
    const ssize_t got = ::read(log_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    rest.append(buffer.data(), static_cast<size_t>(got));
    const std::lock_guard lock(mutex_);
    for (size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
      lines_.push_back(rest.substr(0, end));
      if (lines_.size() > kMaxLines) lines_.pop_front();
    }
    news_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  news_.notify_all();
}

std::string ChildProcess::AwaitLine(std::string_view text, Millis within) {
  std::unique_lock lock(mutex_);
  std::string found;
  news_.wait_for(lock, within, [&] {
    for (const std::string& line : lines_) {
      if (line.find(text) == std::string::npos) continue;
      found = line;
      return true;
    }
    return ended_;
  });
  return found;
}

std::string ChildProcess::LastLines() const {
  constexpr size_t kLines = 10;
  const std::lock_guard lock(mutex_);
  std::string text;
  for (size_t i = lines_.size() > kLines ? lines_.size() - kLines : 0; i < lines_.size(); ++i) {
    text += lines_[i] + "\n";
  }
  return text;
}

int ChildProcess::Stop() {
  if (reaped_) return 0;
  reaped_ = true;
  ::kill(pid_, SIGTERM);
  // Its end is an event of its descriptor; a child that hangs is killed after a while.
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{handle, POLLIN, 0};
  if (handle < 0 || ::poll(&ended, 1, static_cast<int>(kStopWithin.count())) != 1) {
    ::kill(pid_, SIGKILL);
  }
  if (handle >= 0) ::close(handle);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int NumberIn(std::string_view line, std::string_view key) {
  const size_t at = line.find(std::string(key) + "=");
  if (at == std::string_view::npos) return 0;
  return std::atoi(std::string(line.substr(at + key.size() + 1)).c_str());
}

std::string Sibling(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

}  // namespace oppetid
