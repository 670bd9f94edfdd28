// Stands between a client and an LDAP server and loses the server's answers from some moment on, as
// a server does that hangs, or a line on which one direction is cut.
//
// Threading: a thread of its own, one connection at a time. Lifetime: ends with the object.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace oppetid::agent {

class StallingRelay {
 public:
  // What the client has sent over TLS when the answers stop.
  enum After { kHello = 0, kLogon = 3, kFirstSearch = 4 };  // no certificate, Finished, and then

  StallingRelay(const std::string& address, const std::string& server, uint16_t port, After after)
      : server_(server), port_(port), after_(after) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in at = Endpoint(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listener_, 5), 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }
  StallingRelay(const StallingRelay&) = delete;
  StallingRelay& operator=(const StallingRelay&) = delete;
  ~StallingRelay() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }

 private:
  static constexpr int kTick = 50;  // ms; how soon the thread sees that it should end

  sockaddr_in Endpoint(const std::string& address) const {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
    return at;
  }

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, kTick) != 1) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in at = Endpoint(server_);
      if (::connect(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
        Relay(client, server, stop);
      }
      ::close(client);
      ::close(server);
    }
  }

  void Relay(int client, int server, const std::stop_token& stop) {
    bool tls = false;
    std::string records;  // of TLS from the client, as far as not counted
    int sent = -1;        // records of application data; -1 before the first record of any kind
    while (!stop.stop_requested()) {
      pollfd waiting[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(waiting, 2, kTick) <= 0) continue;
      char bytes[16'384];
      if (waiting[0].revents != 0) {
        const ssize_t got = ::recv(client, bytes, sizeof bytes, 0);
        if (got <= 0) return;
        const std::string_view request(bytes, static_cast<size_t>(got));
        ::send(server, bytes, request.size(), MSG_NOSIGNAL);
        if (tls) records += request;
        while (records.size() >= 5) {
          const size_t size = 5 + (static_cast<size_t>(static_cast<uint8_t>(records[3])) << 8 |
                                   static_cast<uint8_t>(records[4]));
          if (records.size() < size) break;
          if (sent < 0) sent = 0;
          if (records[0] == 0x17) ++sent;
          records.erase(0, size);
        }
        // The request for StartTLS is told by its OID.
        tls = tls || request.find("1.3.6.1.4.1.1466.20037") != std::string_view::npos;
      }
      if (waiting[1].revents != 0) {
        const ssize_t got = ::recv(server, bytes, sizeof bytes, 0);
        if (got <= 0) return;
        if (sent < after_) ::send(client, bytes, static_cast<size_t>(got), MSG_NOSIGNAL);
      }
    }
  }

  std::string server_;
  uint16_t port_;
  int after_;
  int listener_ = -1;
  std::jthread thread_;
};

}  // namespace oppetid::agent
