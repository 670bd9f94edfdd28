#include "agent/ad/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "common/clock.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxAddresses = 8;  // more than that is no server but a mistake in DNS

std::string ErrorText(int error) { return std::generic_category().message(error); }

// Whether `events` (or an error) came in time.
bool Await(int fd, short events, AdDeadline until) {
  pollfd waiting{fd, events, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, MillisLeft(until));
    if (ready < 0 && errno == EINTR) continue;
    return ready == 1;
  }
}

}  // namespace

AdDeadline Within(std::chrono::milliseconds time) { return SystemClock().SteadyNow() + time; }

int MillisLeft(AdDeadline until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SystemClock().SteadyNow());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3'600'000));
}

double Stopwatch::seconds() const {
  return std::chrono::duration<double>(SystemClock().SteadyNow() - start_).count();
}

std::vector<AdAddress> ResolveAddresses(const std::string& name, AdDeadline until,
                                        std::string& trouble) {
  // What the resolver's thread reads and writes; it is left to it when it does not come back.
  struct Request {
    std::string name;
    addrinfo hints{};
    gaicb block{};
  };
  auto request = std::make_unique<Request>();
  request->name = name;
  request->hints.ai_socktype = SOCK_STREAM;
  request->block.ar_name = request->name.c_str();
  request->block.ar_request = &request->hints;
  gaicb* const one = &request->block;
  gaicb* list_of_one[] = {one};
  const int started = ::getaddrinfo_a(GAI_NOWAIT, list_of_one, 1, nullptr);
  while (started == 0 && ::gai_error(one) == EAI_INPROGRESS && MillisLeft(until) > 0) {
    const int left = MillisLeft(until);
    const timespec wait{left / 1000, left % 1000 * 1'000'000L};
    ::gai_suspend(list_of_one, 1, &wait);
  }
  const int error = started == 0 ? ::gai_error(one) : started;
  if (error == EAI_INPROGRESS) {
    if (::gai_cancel(one) == EAI_NOTCANCELED) (void)request.release();
    trouble = "cannot resolve " + name + ": no answer in time";
    return {};
  }
  addrinfo* const list = error == 0 ? one->ar_result : nullptr;
  std::vector<AdAddress> addresses;
  for (const addrinfo* entry = list; error == 0 && entry != nullptr; entry = entry->ai_next) {
    if (addresses.size() == kMaxAddresses || entry->ai_addrlen > sizeof(sockaddr_storage)) break;
    AdAddress address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    addresses.push_back(address);
  }
  if (error == 0) ::freeaddrinfo(list);
  if (addresses.empty()) {
    trouble = "cannot resolve " + name + ": " + (error == 0 ? "no address" : ::gai_strerror(error));
  }
  return addresses;
}

Socket Socket::Open(const AdAddress& address, int type, uint16_t port, AdDeadline until,
                    std::string& trouble) {
  AdAddress target = address;
  if (target.storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&target.storage)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&target.storage)->sin6_port = htons(port);
  }
  Socket made(::socket(target.storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = made.open() ? 0 : errno;
  if (made.open() &&
      ::connect(made.fd_, reinterpret_cast<const sockaddr*>(&target.storage), target.size) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      error = Await(made.fd_, POLLOUT, until) ? 0 : ETIMEDOUT;
      if (error == 0) ::getsockopt(made.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error == 0) return made;
  trouble = "port " + std::to_string(port) + ": " + ErrorText(error);
  return Socket();
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.Release();
  }
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

int Socket::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

std::string Socket::Send(std::string_view bytes, AdDeadline until) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!Await(fd_, POLLOUT, until)) return "cannot send in time";
    } else if (errno != EINTR) {
      return "cannot send: " + ErrorText(errno);
    }
  }
  return "";
}

std::string Socket::Receive(size_t most, AdDeadline until, std::string& trouble) {
  std::string bytes(most, '\0');
  for (;;) {
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes.resize(static_cast<size_t>(got));
      return bytes;
    }
    if (got == 0) {
      trouble = "closed without an answer";
      return "";
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      trouble = "no answer: " + ErrorText(errno);
      return "";
    }
    if (!Await(fd_, POLLIN, until)) {
      trouble = "no answer in time";
      return "";
    }
  }
}

std::string Socket::ReceiveAll(size_t count, AdDeadline until, std::string& trouble) {
  std::string all;
  while (all.size() < count) {
    const std::string more = Receive(count - all.size(), until, trouble);
    if (more.empty()) return "";
    all += more;
  }
  return all;
}

}  // namespace oppetid::agent
