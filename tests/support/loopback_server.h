// A server on loopback that plays any part over TCP or TLS: well-behaved, rude, endless or silent.
//
// It runs on the test's own loop. What it has under way keeps its own state alive, so the server
// object may go before the loop does.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/test_ca.h"

namespace oppetid {

// What the server does once it has heard a request's headers.
struct Part {
  std::string bytes;          // sent first
  std::string endlessly;      // then this, again and again, until the client goes
  bool stays_silent = false;  // then nothing, with the connection open; otherwise it closes
};

class LoopbackServer {
 public:
  using Play = std::function<Part(const std::string& request)>;

  // With `identity` it speaks TLS.
  LoopbackServer(boost::asio::io_context& io, Play play,
                 std::optional<TestCertificate> identity = std::nullopt);
  ~LoopbackServer();

  uint16_t port() const;
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  // The requests heard so far, headers and what came with them.
  const std::vector<std::string>& requests() const;
  // The names asked for by TLS clients (SNI), "" for none.
  const std::vector<std::string>& server_names() const;
  int connections() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

// A plain HTTP response with a length and the connection closed after it.
std::string HttpReply(int status, const std::string& body, const std::string& headers = "");

}  // namespace oppetid
