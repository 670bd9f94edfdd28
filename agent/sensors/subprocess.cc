#include "agent/sensors/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern "C" {  // glibc 2.36 forgot to say so itself
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <system_error>

#include "agent/sensors/file_trust.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr size_t kReadBytes = 16 * 1024;  // a quarter of a pipe
constexpr int kReadsInARow = 8;           // then the loop's other work has its turn
constexpr int kReapPatienceMs = 200;      // only where no loop is left to wait in
constexpr size_t kMaxNameInText = 120;    // leaves room for the reason in 256 bytes

std::string ErrorText(int error) { return std::generic_category().message(error); }

// --- Starting -----------------------------------------------------------------------------------

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// The leader holds the group's id until it is reaped, so this never hits strangers.
void KillGroup(pid_t pid) { ::kill(-pid, SIGKILL); }

// For where nobody can wait: the loop is gone. What does not die in time is left to init.
void KillAndReap(pid_t pid, int pidfd) {
  KillGroup(pid);
  pollfd poll_fd{pidfd, POLLIN, 0};
  ::poll(&poll_fd, 1, kReapPatienceMs);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
}

// A started child that nobody looks after yet.
struct Started {
  explicit Started(std::shared_ptr<void> t) : token(std::move(t)) {}
  ~Started() {
    if (pid > 0) KillAndReap(pid, pidfd.get());
  }
  std::shared_ptr<void> token;  // says that the run is not over
  std::string fault;
  pid_t pid = 0;
  Fd pidfd;
  Fd output;
  Fd error_output;
};

class SpawnSettings {
 public:
  SpawnSettings(int output, int error_output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, error_output, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    ::posix_spawn_file_actions_addchdir_np(&actions_, "/");
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    // Ignored signals would stay ignored across the exec.
    for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD}) {
      ::sigaddset(&signals, signal);
    }
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentOf(const Command& command) {
  std::vector<std::pair<std::string, std::string>> variables = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"}};
  for (const auto& variable : command.environment) {
    std::erase_if(variables, [&](const auto& ours) { return ours.first == variable.first; });
    variables.push_back(variable);
  }
  std::vector<std::string> lines;
  lines.reserve(variables.size());
  for (auto& [key, value] : variables) lines.push_back(std::move(key.append("=").append(value)));
  return lines;
}

bool MakePipe(Fd& read_end, Fd& write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end = Fd(ends[0]);
  write_end = Fd(ends[1]);
  return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

// Behind everything else, but with a share left: at nice 19 or with an idle disk class a busy
// machine would keep a tool beyond its deadline. posix_spawn sets neither; the moment between does
// not matter, nor does a child that has ended by now (ESRCH).
void GiveWay(pid_t pid) {
  constexpr int kNice = 10;                                      // a tenth of the weight
  constexpr int kWhoProcess = 1, kBestEffortLast = 2 << 13 | 7;  // ioprio_set(2)
  const bool lowered = ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kNice) == 0 &&
                       ::syscall(SYS_ioprio_set, kWhoProcess, pid, kBestEffortLast) == 0;
  if (!lowered && errno != ESRCH) {
    LogWarning("cannot lower a tool's priority", {{"error", ErrorText(errno)}});
  }
}

// Blocks until the program's exec is done. posix_spawn, because a fork of a program with threads
// may do next to nothing safely before its exec.
std::shared_ptr<Started> Start(const Command& command, std::shared_ptr<void> token) {
  auto started = std::make_shared<Started>(std::move(token));
  const FileTrust trust = ExamineProgram(command.argv.front());
  if (!trust.reason.empty()) {
    started->fault = trust.writable_by_others ? "refused to run: " + trust.reason : trust.reason;
    return started;
  }
  const std::string cannot =
      "cannot start `" + OneLine(command.argv.front(), kMaxNameInText) + "`: ";
  Fd output;
  Fd error_output;
  if (!MakePipe(started->output, output) || !MakePipe(started->error_output, error_output)) {
    started->fault = cannot + ErrorText(errno);
    return started;
  }
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> environment = EnvironmentOf(command);
  const SpawnSettings settings(output.get(), error_output.get());
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, argv.front().c_str(), settings.actions(), settings.attributes(),
                    Pointers(argv).data(), Pointers(environment).data());
  if (error != 0) {
    started->fault = cannot + ErrorText(error);
    return started;
  }
  started->pid = pid;
  if (command.gentle) GiveWay(pid);
  started->pidfd = Fd(::pidfd_open(pid, 0));
  if (started->pidfd.get() < 0) started->fault = cannot + "pidfd_open: " + ErrorText(errno);
  return started;
}

// --- Looking after ------------------------------------------------------------------------------

// One end of a pipe and what came out of it.
struct Stream {
  Stream(const boost::asio::any_io_executor& executor, int fd, size_t max)
      : descriptor(executor, fd), limit(max) {}
  stream_descriptor descriptor;
  size_t limit;
  std::string text;
  bool cut = false;

  // Reads what is there, for a while. False at the end of the stream.
  bool Read() {
    std::array<char, kReadBytes> buffer;
    for (int i = 0; i < kReadsInARow; ++i) {
      const ssize_t size = ::read(descriptor.native_handle(), buffer.data(), buffer.size());
      if (size < 0) return errno == EAGAIN || errno == EINTR;
      if (size == 0) return false;
      const size_t room = std::min(limit - text.size(), static_cast<size_t>(size));
      text.append(buffer.data(), room);
      if (room < static_cast<size_t>(size)) cut = true;
    }
    return true;
  }
};

// A running child. Its handlers keep it alive until it is reaped, also after it was abandoned.
class Child : public std::enable_shared_from_this<Child> {
 public:
  Child(const boost::asio::any_io_executor& executor, Started& started, size_t max_stdout_bytes)
      : pid_(std::exchange(started.pid, 0)),
        exit_(executor, started.pidfd.Release()),
        output_(executor, started.output.Release(), max_stdout_bytes),
        error_output_(executor, started.error_output.Release(), kMaxStderrBytes),
        over_(executor, boost::asio::steady_timer::time_point::max()),
        token_(std::move(started.token)) {}

  ~Child() {
    if (pid_ > 0) KillAndReap(pid_, exit_.native_handle());
  }

  void Watch() {
    WatchStream(output_);
    WatchStream(error_output_);
    exit_.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->OnExit();
                     });
  }

  // Ends it: nobody waits for it any more.
  void Abandon() {
    if (pid_ <= 0) return;
    KillGroup(pid_);
    CloseStreams();
  }

  bool over() const { return pid_ <= 0; }
  boost::asio::steady_timer& over_timer() { return over_; }  // cancelled when it is over

  Finished Take() {
    finished_.output = std::move(output_.text);
    finished_.output_cut = output_.cut;
    finished_.error_output = std::move(error_output_.text);
    return std::move(finished_);
  }

 private:
  void WatchStream(Stream& stream) {
    stream.descriptor.async_wait(
        stream_descriptor::wait_read,
        [self = shared_from_this(), &stream](const boost::system::error_code& error) {
          if (error || !stream.descriptor.is_open() || !stream.Read()) return;
          self->WatchStream(stream);
        });
  }

  void CloseStreams() {
    boost::system::error_code ignored;  // a pipe's read end has nothing to lose
    output_.descriptor.close(ignored);
    error_output_.descriptor.close(ignored);
  }

  void OnExit() {
    KillGroup(pid_);  // what it left behind must not outlive the answer
    if (output_.descriptor.is_open()) output_.Read();
    if (error_output_.descriptor.is_open()) error_output_.Read();
    CloseStreams();
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0) {
      finished_.fault = "cannot tell how the program ended: " + ErrorText(errno);
    } else if (info.si_code == CLD_EXITED) {
      finished_.exit_code = info.si_status;
    } else {
      finished_.signal = info.si_status;
    }
    pid_ = 0;
    token_.reset();
    over_.cancel();
  }

  pid_t pid_;  // 0 when it is reaped
  stream_descriptor exit_;
  Stream output_;
  Stream error_output_;
  boost::asio::steady_timer over_;
  std::shared_ptr<void> token_;
  Finished finished_;
};

// Stands in the coroutine's frame: however that ends, the child ends with it.
struct Leash {
  ~Leash() { child->Abandon(); }
  std::shared_ptr<Child> child;
};

}  // namespace

Subprocess::Subprocess(Command command, World& world)
    : command_(std::make_shared<const Command>(std::move(command))), world_(world) {}

boost::asio::awaitable<Finished> Subprocess::Run() {
  Finished finished;
  if (!last_run_.expired()) {
    finished.fault = "the last run was killed but has not ended yet; not started again";
    co_return finished;
  }
  std::shared_ptr<void> token = std::make_shared<char>();
  last_run_ = token;
  // The token goes on with the run; a copy left behind here would outlive it.
  std::function<std::shared_ptr<Started>()> work = [command = command_,
                                                    token = std::move(token)]() mutable {
    return Start(*command, std::move(token));
  };
  const auto started = co_await OnPool<std::shared_ptr<Started>>(world_.pool, std::move(work));
  if (!started->fault.empty()) {
    finished.fault = started->fault;
    co_return finished;
  }
  const auto child = std::make_shared<Child>(world_.executor, *started, command_->max_stdout_bytes);
  const Leash leash{child};
  child->Watch();
  while (!child->over()) {
    boost::system::error_code ignored;
    co_await child->over_timer().async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
  co_return child->Take();
}

}  // namespace oppetid::agent
