#include "tests/support/rt_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/file.h"
#include "tests/support/http_client.h"

namespace oppetid {
namespace {

using boost::asio::ip::tcp;

constexpr Millis kStartsWithin{120'000};  // three seconds on a quiet machine

uint16_t FreePort() {
  boost::asio::io_context io;
  const tcp::acceptor taken(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  return taken.local_endpoint().port();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RtServer>> RtServer::Start() {
  auto server = std::make_unique<RtServer>();
  const std::string tests = std::string(OPPETID_SOURCE_DIR) + "/tests";
  server->port_ = FreePort();
  auto process =
      ChildProcess::Start({"/bin/bash", tests + "/support/rt/serve", server->directory_.path(),
                           std::to_string(server->port_), tests + "/testdata/rt/seeded.tgz"});
  if (!process.ok()) return process.status();
  server->process_ = *std::move(process);
  if (server->process_->AwaitLine("ready", kStartsWithin).empty()) {
    return absl::UnavailableError("Request Tracker does not start: " +
                                  server->process_->LastLines());
  }
  return server;
}

std::string RtServer::token(const std::string& user) const {
  const auto token = ReadFile(directory_.path() + "/tokens/" + user);
  return token.ok() ? *token : "";
}

int RtServer::Put(const std::string& user, const std::string& path, const std::string& json) const {
  HttpClient client(port_);
  client.Send("PUT /REST/2.0/" + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: token " +
              token(user) + "\r\nContent-Type: application/json\r\nContent-Length: " +
              std::to_string(json.size()) + "\r\n\r\n" + json);
  return client.Receive().status;
}

}  // namespace oppetid
