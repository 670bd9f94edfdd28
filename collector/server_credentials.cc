#include "collector/server_credentials.h"

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <mutex>

namespace oppetid::collector {

struct ServerCredentials::Shown {
  std::mutex mutex;
  ServerIdentity identity;
  bool taken = false;  // gRPC has it
};

namespace {

using Shown = ServerCredentials::Shown;

// Called by gRPC before a handshake.
grpc_ssl_certificate_config_reload_status Fetch(void* user,
                                                grpc_ssl_server_certificate_config** config) {
  auto* shown = static_cast<Shown*>(user);
  const std::lock_guard lock(shown->mutex);
  if (shown->taken) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{shown->identity.key.c_str(),
                                        shown->identity.certificate.c_str()};
  *config = grpc_ssl_server_certificate_config_create(shown->identity.ca.c_str(), &pair, 1);
  shown->taken = true;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

// What grpc::SslServerCredentials is, but with a certificate that can change: gRPC's C++ side has
// no name for it.
class Reloading : public grpc::ServerCredentials {
 public:
  explicit Reloading(std::shared_ptr<Shown> shown) : shown_(std::move(shown)) {
    grpc_ssl_server_credentials_options* options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY, Fetch, shown_.get());
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
  }
  ~Reloading() override { grpc_server_credentials_release(credentials_); }
  // Nothing is processed: the caller is known by its certificate alone.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  std::shared_ptr<Shown> shown_;
  grpc_server_credentials* credentials_;
};

}  // namespace

ServerCredentials::ServerCredentials(const ServerIdentity& identity)
    : shown_(std::make_shared<Shown>()) {
  shown_->identity = identity;
}

ServerCredentials::~ServerCredentials() = default;

void ServerCredentials::Set(const ServerIdentity& identity) {
  const std::lock_guard lock(shown_->mutex);
  shown_->identity = identity;
  shown_->taken = false;
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials::ForGrpc() {
  return std::make_shared<Reloading>(shown_);
}

}  // namespace oppetid::collector
