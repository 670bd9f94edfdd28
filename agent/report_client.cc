#include "agent/report_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace oppetid::agent {
namespace {

// The agent answers in milliseconds; its disk may take a while.
constexpr timeval kPatience{10, 0};

class Socket {
 public:
  Socket() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

absl::Status Unreachable(const std::string& path) {
  return absl::ErrnoToStatus(errno, "cannot reach the agent at " + path);
}

std::string FirstThere() {
  for (const char* path : kReportSockets) {
    if (::access(path, F_OK) == 0) return path;
  }
  return kReportSockets[0];
}

// What came back, if anything did, when the other end closed: it may do so at once.
absl::Status Exchange(int fd, const std::string& path, const std::string& line,
                      std::string* reply) {
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t size = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EPIPE) return absl::OkStatus();
    if (size < 0) return Unreachable(path);
    sent += static_cast<size_t>(size);
  }
  char buffer[1024];
  while (reply->find('\n') == std::string::npos && reply->size() < kMaxReportLine) {
    const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size == 0 || (size < 0 && errno == ECONNRESET)) break;
    if (size < 0) return Unreachable(path);
    reply->append(buffer, static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendReport(const std::string& socket, const Report& report) {
  const std::string path = socket.empty() ? FirstThere() : socket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is too long for a socket's name"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const Socket agent;
  if (agent.fd() < 0) return Unreachable(path);
  ::setsockopt(agent.fd(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(agent.fd(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(agent.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Unreachable(path);
  }
  std::string reply;
  if (auto status = Exchange(agent.fd(), path, FormatReport(report), &reply); !status.ok()) {
    return status;
  }
  const auto refusal = ParseReply(reply);
  if (!refusal) {
    return absl::UnavailableError("the agent at " + path +
                                  " gave no answer: it has too many callers, or is stopping");
  }
  if (refusal->empty()) return absl::OkStatus();
  return absl::PermissionDeniedError("refused: " + *refusal);
}

}  // namespace oppetid::agent
