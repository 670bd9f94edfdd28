#include "agent/sensors/tls.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <ctime>
#include <vector>

#include "common/async.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

namespace ssl = boost::asio::ssl;

constexpr size_t kMaxCaBytes = 4'000'000;  // Debian's bundle of all authorities has 220 kB
constexpr size_t kMaxChainLength = 100;    // what OpenSSL itself follows

using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;

// Certificates of a PEM text, at most so many.
std::vector<X509Ptr> ReadPem(const std::string& pem) {
  std::vector<X509Ptr> certificates;
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  while (bio != nullptr && certificates.size() < kMaxChainLength) {
    X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
    if (certificate == nullptr) break;
    certificates.push_back(std::move(certificate));
  }
  ERR_clear_error();  // the end of the text counts as an error there
  return certificates;
}

std::optional<Instant> ToInstant(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return FromUnixMillis(static_cast<int64_t>(::timegm(&parts)) * 1000);
}

bool IsFor(X509* certificate, const std::string& name) {
  boost::system::error_code no_address;
  boost::asio::ip::make_address(name, no_address);
  if (!no_address) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  // As browsers do: the subject's common name no longer counts.
  constexpr unsigned kFlags =
      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  return X509_check_host(certificate, name.data(), name.size(), kFlags, nullptr) == 1;
}

std::string Untrusted(long verify_error) {
  std::string why = X509_verify_cert_error_string(verify_error);
  if (verify_error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
      verify_error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE) {
    why += " (the authority is unknown here, or the server does not send an intermediate)";
  }
  return "certificate not trusted: " + why;
}

// `chain` has at least the host's own certificate, first.
Chain Judge(const std::vector<X509*>& chain, Instant now, const std::string& name,
            long verify_error) {
  Chain result;
  result.expiry = Instant::max();
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::string which =
        i == 0 ? "certificate" : "certificate " + std::to_string(i + 1) + " of the chain";
    const auto from = ToInstant(X509_get0_notBefore(chain[i]));
    const auto until = ToInstant(X509_get0_notAfter(chain[i]));
    if (!from || !until) {
      result.trouble = which + " has no readable validity";
      continue;
    }
    if (*until < result.expiry) {
      result.expiry = *until;
      result.expires = which;
    }
    if (!result.trouble.empty()) continue;
    if (*until < now) result.trouble = which + " expired at " + FormatInstant(*until);
    if (*from > now) result.trouble = which + " not valid before " + FormatInstant(*from);
  }
  if (result.trouble.empty() && !name.empty() && !IsFor(chain.front(), name)) {
    result.trouble = OneLine("certificate not for " + name);
  }
  if (result.trouble.empty() && verify_error != X509_V_OK) result.trouble = Untrusted(verify_error);
  return result;
}

std::unique_ptr<ssl::context> NewContext() {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // every asking stands alone
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  // As a client this verifies all the same, but leaves the verdict to us.
  SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
  return context;
}

}  // namespace

// What the pool found: the file's version, and its content when that was not the known one.
struct TlsClient::Loaded {
  std::string version;
  std::string pem;
  std::string error;
};

boost::asio::awaitable<std::string> TlsClient::Prepare() {
  if (ca_.empty()) {
    if (context_ == nullptr) {
      context_ = NewContext();
      SSL_CTX_set_default_verify_paths(context_->native_handle());
    }
    co_return "";
  }
  std::function<Loaded()> work = [ca = ca_, known = version_] {
    Loaded loaded;
    struct stat info {};
    if (::stat(ca.c_str(), &info) != 0) {
      loaded.error = "cannot read " + ca + ": " + std::generic_category().message(errno);
      return loaded;
    }
    loaded.version = std::to_string(info.st_ino) + "/" + std::to_string(info.st_size) + "/" +
                     std::to_string(info.st_mtim.tv_sec) + "." +
                     std::to_string(info.st_mtim.tv_nsec);
    if (loaded.version == known) return loaded;
    auto pem = ReadFile(ca, kMaxCaBytes);
    if (!pem.ok()) loaded.error = "cannot " + std::string(pem.status().message());
    if (pem.ok()) loaded.pem = std::move(*pem);
    return loaded;
  };
  const Loaded loaded = co_await OnPool<Loaded>(world_.pool, std::move(work));
  if (!loaded.error.empty()) co_return OneLine(loaded.error);
  if (context_ != nullptr && loaded.version == version_) co_return "";
  const auto authorities = ReadPem(loaded.pem);
  if (authorities.empty()) co_return OneLine(ca_ + " holds no certificate in PEM form");
  auto context = NewContext();
  X509_STORE* store = SSL_CTX_get_cert_store(context->native_handle());
  for (const X509Ptr& authority : authorities) X509_STORE_add_cert(store, authority.get());
  context_ = std::move(context);
  version_ = loaded.version;
  co_return "";
}

boost::asio::awaitable<Shaken> TlsClient::ShakeHands(boost::asio::ip::tcp::socket socket,
                                                     std::string server_name) {
  Shaken shaken;
  auto stream = std::make_unique<TlsStream>(std::move(socket), *context_);
  SSL* handle = stream->native_handle();
  boost::system::error_code no_address;
  boost::asio::ip::make_address(server_name, no_address);
  if (no_address) SSL_set_tlsext_host_name(handle, server_name.c_str());  // addresses: RFC 6066, 3
  const Instant now = world_.clock.Now();
  X509_VERIFY_PARAM_set_time(SSL_get0_param(handle), static_cast<time_t>(ToUnixMillis(now) / 1000));
  boost::system::error_code error;
  co_await stream->async_handshake(ssl::stream_base::client,
                                   boost::asio::redirect_error(boost::asio::use_awaitable, error));
  if (error) {
    shaken.error = OneLine("TLS handshake failed: " + error.message());
    co_return shaken;
  }
  const long verify_error = SSL_get_verify_result(handle);
  // A trusted chain is the one a client builds; a server may send needless certificates with it.
  const STACK_OF(X509)* certificates =
      verify_error == X509_V_OK ? SSL_get0_verified_chain(handle) : SSL_get_peer_cert_chain(handle);
  std::vector<X509*> chain;
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    chain.push_back(sk_X509_value(certificates, i));
  }
  if (chain.empty()) {
    shaken.error = "TLS handshake without a certificate";
    co_return shaken;
  }
  shaken.chain = Judge(chain, now, server_name, verify_error);
  shaken.stream = std::move(stream);
  co_return shaken;
}

std::optional<Chain> TlsClient::JudgePem(const std::string& pem, const std::string& server_name,
                                         bool trust) {
  const auto certificates = ReadPem(pem);
  if (certificates.empty()) return std::nullopt;
  const Instant now = world_.clock.Now();
  std::vector<X509*> chain;
  for (const X509Ptr& certificate : certificates) chain.push_back(certificate.get());
  long verify_error = X509_V_OK;
  if (trust) {
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
        sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
    for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(others.get(), chain[i]);
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> verification(
        X509_STORE_CTX_new(), X509_STORE_CTX_free);
    X509_STORE_CTX_init(verification.get(), SSL_CTX_get_cert_store(context_->native_handle()),
                        chain.front(), others.get());
    X509_STORE_CTX_set_time(verification.get(), 0, static_cast<time_t>(ToUnixMillis(now) / 1000));
    X509_verify_cert(verification.get());
    verify_error = X509_STORE_CTX_get_error(verification.get());
  }
  return Judge(chain, now, server_name, verify_error);
}

}  // namespace oppetid::agent
