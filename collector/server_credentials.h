// TLS for the gRPC port whose certificate can be replaced while it serves.
//
// gRPC asks for what to show before each handshake, so a renewed certificate, or a CA more, takes
// effect with the next connection and ends no stream. Client certificates are asked for and
// verified later, by us (common/identity.h).
// Threading: Set from any thread. Lifetime: outlives the server.
#pragma once

#include <memory>

#include "collector/trust.h"

namespace grpc {
class ServerCredentials;
}  // namespace grpc

namespace oppetid::collector {

class ServerCredentials {
 public:
  explicit ServerCredentials(const ServerIdentity& identity);
  ~ServerCredentials();

  void Set(const ServerIdentity& identity);
  // For the server's builder.
  std::shared_ptr<grpc::ServerCredentials> ForGrpc();

  struct Shown;  // defined in the .cc

 private:
  std::shared_ptr<Shown> shown_;
};

}  // namespace oppetid::collector
