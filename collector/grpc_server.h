// The gRPC port: accepts connections, refuses what is no TLS, authenticates, and hands frames to
// the hub.
//
// Connections are accepted here and given to gRPC only once they begin to speak TLS, so that ten
// thousand silent ones cost ten thousand sockets and nothing more, and an HTTP client is told
// apart. A client certificate is asked for in the handshake and verified here when a method is
// called, so that every refusal has a reason. Every method but Enrolment/Enrol needs a valid one,
// unknown methods too (deny by default).
//
// Threading: gRPC's threads decode frames; everything else happens on the executor's thread.
// Lifetime: hub, verifier and counters outlive the server; Shutdown() before destruction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/counters.h"
#include "collector/hub.h"
#include "collector/trust.h"
#include "common/clock.h"
#include "common/identity.h"

namespace oppetid::collector {

// Answers a request to enrol, of somebody without a certificate. `peer` is an address.
using EnrolHandler = std::function<void(const v1::EnrolRequest& request, const std::string& peer,
                                        std::function<void(absl::StatusOr<v1::EnrolReply>)> done)>;

struct GrpcServerOptions {
  std::string address;  // ip:port
  ServerIdentity identity;
  EnrolHandler enrol;
};

class GrpcServer {
 public:
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(GrpcServerOptions options,
                                                           boost::asio::any_io_executor executor,
                                                           Hub& hub, const PeerVerifier& verifier,
                                                           const Clock& clock, Counters& counters);
  ~GrpcServer();

  uint16_t port() const;
  // Shows this to who connects from now on. From any thread.
  void Show(const ServerIdentity& identity);
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
