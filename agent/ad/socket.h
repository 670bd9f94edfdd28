// Blocking sockets in which every call ends at a deadline.
//
// Threading: a Socket is used by one thread. Lifetime: closes itself.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

using AdDeadline = std::chrono::steady_clock::time_point;

AdDeadline Within(std::chrono::milliseconds time);
// For poll(2): at least 0.
int MillisLeft(AdDeadline until);

// How long something took.
class Stopwatch {
 public:
  Stopwatch() : start_(Within(std::chrono::milliseconds(0))) {}
  double seconds() const;

 private:
  AdDeadline start_;
};

// An address without a port.
struct AdAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Resolves a name with the system's resolver, or reads a literal.
std::vector<AdAddress> ResolveAddresses(const std::string& name, AdDeadline until,
                                        std::string& trouble);

class Socket {
 public:
  // Connects over TCP, or for UDP fixes the peer. `trouble` says why not.
  static Socket Open(const AdAddress& address, int type, uint16_t port, AdDeadline until,
                     std::string& trouble);
  Socket() = default;
  Socket(Socket&& other) noexcept : fd_(other.Release()) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int Release();

  // Empty, or the trouble.
  std::string Send(std::string_view bytes, AdDeadline until);
  // Receives what comes next, at most `most` bytes; empty with `trouble` set when nothing does.
  std::string Receive(size_t most, AdDeadline until, std::string& trouble);
  // Exactly so many.
  std::string ReceiveAll(size_t count, AdDeadline until, std::string& trouble);

 private:
  explicit Socket(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace oppetid::agent
