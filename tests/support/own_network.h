// A network of a test's own, in a child process: loopback where echo requests are answered by the
// kernel, by nobody, or by the test itself.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "agent/sensors/echo.h"

namespace oppetid::agent {

// socket(2) that refuses the types given with EACCES.
inline OpenSocket Refusing(std::vector<int> refused) {
  return [refused](int family, int type, int protocol) {
    for (const int wrong : refused) {
      if ((type & 0xF) != wrong) continue;
      errno = EACCES;
      return -1;
    }
    return ::socket(family, type, protocol);
  };
}

inline bool WriteTo(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

// Enters a network of our own, where we may do everything: loopback up, datagram ICMP allowed.
inline bool EnterOwnNetwork() {
  const std::string uid = std::to_string(::geteuid());
  const std::string gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
    WriteTo("/proc/self/setgroups", "deny");
    if (!WriteTo("/proc/self/uid_map", "0 " + uid + " 1")) return false;
    if (!WriteTo("/proc/self/gid_map", "0 " + gid + " 1")) return false;
  } else if (::unshare(CLONE_NEWNET) != 0) {
    return false;
  }
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  return up && WriteTo("/proc/sys/net/ipv4/ping_group_range", "0 0");
}

// Runs `body` in a child with a network of its own, and fails the test where it fails. False where
// the system allows no such thing.
inline bool RunInOwnNetwork(const std::function<void()>& body) {
  constexpr int kNoNetwork = 77;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  EXPECT_GE(child, 0);
  if (child == 0) {
    if (!EnterOwnNetwork()) ::_exit(kNoNetwork);
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoNetwork) return false;
  EXPECT_EQ(WEXITSTATUS(status), 0) << "see the failures of the child above";
  return true;
}

// Answers echo requests on loopback in the kernel's place, each with the packets `forge` gives.
class Responder {
 public:
  using Packet = std::vector<uint8_t>;
  using Forge = std::function<std::vector<Packet>(const Packet& reply, int sequence)>;

  Responder(boost::asio::io_context& io, Forge forge)
      : socket_(io, ::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP)),
        forge_(std::move(forge)) {
    Receive();
  }

 private:
  static void Checksum(Packet& packet) {
    packet[2] = packet[3] = 0;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < packet.size(); i += 2) sum += packet[i] << 8 | packet[i + 1];
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    packet[2] = static_cast<uint8_t>(~sum >> 8);
    packet[3] = static_cast<uint8_t>(~sum);
  }

  void Receive() {
    socket_.async_read_some(
        boost::asio::buffer(buffer_), [this](boost::system::error_code error, size_t size) {
          if (error) return;
          constexpr size_t kHeader = 20;
          Packet reply(buffer_.begin() + kHeader, buffer_.begin() + static_cast<ptrdiff_t>(size));
          if (reply[0] == ICMP_ECHO) {
            reply[0] = ICMP_ECHOREPLY;
            for (Packet& packet : forge_(reply, reply[7])) {
              if (packet.size() >= 4) Checksum(packet);
              sockaddr_in to{};
              to.sin_family = AF_INET;
              to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
              ::sendto(socket_.native_handle(), packet.data(), packet.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof to);
            }
          }
          Receive();
        });
  }

  boost::asio::posix::stream_descriptor socket_;
  Forge forge_;
  std::array<uint8_t, 2000> buffer_{};
};

}  // namespace oppetid::agent
