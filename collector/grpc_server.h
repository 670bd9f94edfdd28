// The gRPC port: accepts connections, refuses what is no TLS, authenticates, and hands frames to
// the hub.
//
// Connections are accepted here and given to gRPC only once they begin to speak TLS, so that ten
// thousand silent ones cost ten thousand sockets and nothing more, and an HTTP client is told
// apart. A client certificate is asked for in the handshake and verified here when a method is
// called, so that every refusal has a reason. Every method but those named needs a valid one (deny
// by default).
//
// Threading: gRPC's threads decode frames; everything else happens on the executor's thread.
// Lifetime: hub, verifier and counters outlive the server; Shutdown() before destruction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/counters.h"
#include "collector/hub.h"
#include "common/clock.h"
#include "common/identity.h"

namespace oppetid::collector {

struct GrpcServerOptions {
  std::string address;  // ip:port
  std::string ca_pem, certificate_pem, key_pem;
};

class GrpcServer {
 public:
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(GrpcServerOptions options,
                                                           boost::asio::any_io_executor executor,
                                                           Hub& hub, const PeerVerifier& verifier,
                                                           const Clock& clock, Counters& counters);
  ~GrpcServer();

  uint16_t port() const;
  // No new connections. On the executor's thread, before Shutdown.
  void StopAccepting();
  // From any other thread: ends all streams; agents reconnect elsewhere or later. Returns when gRPC
  // has let go of them.
  void Shutdown();

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace oppetid::collector
