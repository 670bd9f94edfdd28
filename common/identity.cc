#include "common/identity.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/openssl.h"
#include "common/pki.h"
#include "common/text.h"

namespace oppetid {
namespace {

// A chain of more certificates than this is no chain of ours.
constexpr size_t kMaxChain = 8;

void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

std::vector<X509Ptr> ReadPem(std::string_view pem) {
  std::vector<X509Ptr> certificates;
  const BioPtr bio = ReadFrom(pem);
  while (certificates.size() < kMaxChain) {
    X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
    if (certificate == nullptr) break;
    certificates.emplace_back(certificate);
  }
  return certificates;
}

absl::StatusOr<std::shared_ptr<X509_STORE>> StoreOf(std::string_view ca_pem) {
  const auto certificates = ReadPem(ca_pem);
  if (certificates.empty()) return absl::InvalidArgumentError("no certificate in the CA file");
  std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  for (const X509Ptr& certificate : certificates) {
    X509_STORE_add_cert(store.get(), certificate.get());
  }
  return store;
}

}  // namespace

absl::StatusOr<Identity> ParseSpiffeId(std::string_view uri, std::string_view trust_domain) {
  const auto refuse = [&](const char* why) {
    return absl::InvalidArgumentError(absl::StrCat(OneLine(uri, 200), ": ", why));
  };
  constexpr std::string_view kScheme = "spiffe://";
  if (!uri.starts_with(kScheme)) return refuse("not a SPIFFE id");
  std::string_view rest = uri.substr(kScheme.size());
  const size_t slash = rest.find('/');
  if (rest.substr(0, slash) != trust_domain) return refuse("of another trust domain");
  if (slash == std::string_view::npos) return refuse("names no host");
  rest.remove_prefix(slash);
  constexpr std::string_view kMunicipality = "/municipality/", kHost = "/host/";
  if (!rest.starts_with(kMunicipality)) return refuse("names no municipality");
  rest.remove_prefix(kMunicipality.size());
  const size_t host = rest.find(kHost);
  if (host == std::string_view::npos) return refuse("names no host");
  const Identity identity{std::string(rest.substr(0, host)),
                          std::string(rest.substr(host + kHost.size()))};
  if (!IsId(identity.municipality) || !IsId(identity.host)) {
    return refuse("municipality and host are 1 to 63 of a-z, 0-9, - and .");
  }
  return identity;
}

struct PeerVerifier::Impl {
  mutable std::mutex mutex;
  std::shared_ptr<X509_STORE> store;  // replaced whole
  std::string trust_domain;
};

PeerVerifier::PeerVerifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerVerifier::PeerVerifier(PeerVerifier&&) noexcept = default;
PeerVerifier& PeerVerifier::operator=(PeerVerifier&&) noexcept = default;
PeerVerifier::~PeerVerifier() = default;

absl::StatusOr<PeerVerifier> PeerVerifier::Make(std::string_view ca_pem, std::string trust_domain) {
  auto impl = std::make_unique<Impl>();
  impl->trust_domain = std::move(trust_domain);
  auto store = StoreOf(ca_pem);
  if (!store.ok()) return store.status();
  impl->store = *std::move(store);
  return PeerVerifier(std::move(impl));
}

absl::Status PeerVerifier::Trust(std::string_view ca_pem) {
  auto store = StoreOf(ca_pem);
  if (!store.ok()) return store.status();
  const std::lock_guard lock(impl_->mutex);
  impl_->store = *std::move(store);
  return absl::OkStatus();
}

absl::StatusOr<Peer> PeerVerifier::Verify(std::string_view chain_pem, Instant now) const {
  const auto chain = ReadPem(chain_pem);
  if (chain.empty()) return absl::UnauthenticatedError("no client certificate");
  std::shared_ptr<X509_STORE> store;
  {
    const std::lock_guard lock(impl_->mutex);
    store = impl_->store;
  }
  const std::unique_ptr<STACK_OF(X509), OpensslDeleter<FreeStack>> untrusted(sk_X509_new_null());
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(untrusted.get(), chain[i].get());
  const StoreCtxPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), untrusted.get()) != 1) {
    return absl::InternalError("cannot verify certificates");
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(ToUnixMillis(now) / 1000));
  if (X509_verify_cert(context.get()) != 1) {
    return absl::UnauthenticatedError(
        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  const CertificateFacts facts = FactsOf(chain[0].get());
  auto identity = ParseSpiffeId(facts.uri, impl_->trust_domain);
  if (!identity.ok()) return absl::UnauthenticatedError(identity.status().message());
  const STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(context.get());
  X509* root = sk_X509_value(verified, sk_X509_num(verified) - 1);
  return Peer{*std::move(identity), facts.from, facts.until, facts.serial,
              KeyHash(FactsOf(root).public_key)};
}

}  // namespace oppetid
