#include "agent/pinning.h"

#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/sensors/net.h"
#include "common/openssl.h"
#include "common/pki.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr timeval kStepWithin{10, 0};  // connecting, and each read and write of the handshake

using ContextPtr = std::unique_ptr<SSL_CTX, OpensslDeleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslDeleter<SSL_free>>;

class Socket {
 public:
  Socket() = default;
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  // 0, or the reason as in errno.
  int Connect(const addrinfo& where) {
    fd_ = ::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC, where.ai_protocol);
    if (fd_ < 0) return errno;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kStepWithin, sizeof kStepWithin);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kStepWithin, sizeof kStepWithin);
    return ::connect(fd_, where.ai_addr, where.ai_addrlen) == 0 ? 0 : errno;
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

absl::StatusOr<Socket> Connect(const std::string& address) {
  const auto target = ParseHostPort(address);
  if (!target) return absl::InvalidArgumentError(OneLine(address, 100) + " is not host:port");
  addrinfo wish{};
  wish.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(target->host.c_str(), std::to_string(target->port).c_str(), &wish, &found);
  if (failed != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot reach ", address, ": ", ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, OpensslDeleter<::freeaddrinfo>> all(found);
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Socket socket;
    error = socket.Connect(*one);
    if (error == 0) return socket;
    // What a connect that takes too long is called where the socket has a time limit.
    if (error == EINPROGRESS) error = ETIMEDOUT;
  }
  return absl::UnavailableError(absl::StrCat("cannot reach ", address, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::string> FetchCa(const std::string& address, const std::string& hash) {
  const auto socket = Connect(address);
  if (!socket.ok()) return socket.status();
  const ContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  const SslPtr ssl(SSL_new(context.get()));
  constexpr unsigned char kHttp2[] = "\x02h2";
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2 - 1);
  SSL_set_fd(ssl.get(), socket->fd());
  if (SSL_connect(ssl.get()) != 1) {
    return absl::UnavailableError(absl::StrCat(
        address, " does not shake hands as a collector; is this its port for agents?"));
  }
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    X509* one = sk_X509_value(chain, i);
    if (KeyHash(FactsOf(one).public_key) != hash || X509_check_ca(one) == 0) continue;
    const BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), one);
    return WrittenTo(bio);
  }
  return absl::UnauthenticatedError(absl::StrCat(
      address,
      " is not the collector of this token: it shows another CA. Either the address is wrong, or "
      "somebody is in between, or the CA has rolled over since: make a new invitation"));
}

}  // namespace oppetid::agent
