#include "common/identity.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/text.h"

namespace oppetid {
namespace {

// A chain of more certificates than this is no chain of ours.
constexpr size_t kMaxChain = 8;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }

std::vector<X509Ptr> ReadPem(std::string_view pem) {
  std::vector<X509Ptr> certificates;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (certificates.size() < kMaxChain) {
    X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
    if (certificate == nullptr) break;
    certificates.emplace_back(certificate);
  }
  return certificates;
}

// The single URI among the alternative names; empty when there is none or more than one.
std::string UriOf(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Deleter<FreeNames>> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string uri;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (!uri.empty()) return "";
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
               static_cast<size_t>(ASN1_STRING_length(text)));
  }
  return uri;
}

Instant ToInstant(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return FromUnixMillis(static_cast<int64_t>(::timegm(&fields)) * 1000);
}

std::string SerialOf(X509* certificate) {
  const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get_serialNumber(certificate), nullptr));
  char* hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  std::string serial = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  return serial;
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
  StorePtr store;
  std::string trust_domain;
};

PeerVerifier::PeerVerifier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerVerifier::PeerVerifier(PeerVerifier&&) noexcept = default;
PeerVerifier& PeerVerifier::operator=(PeerVerifier&&) noexcept = default;
PeerVerifier::~PeerVerifier() = default;

absl::StatusOr<PeerVerifier> PeerVerifier::Make(std::string_view ca_pem, std::string trust_domain) {
  auto impl = std::make_unique<Impl>();
  impl->trust_domain = std::move(trust_domain);
  impl->store.reset(X509_STORE_new());
  const auto certificates = ReadPem(ca_pem);
  if (certificates.empty()) return absl::InvalidArgumentError("no certificate in the CA file");
  for (const X509Ptr& certificate : certificates) {
    X509_STORE_add_cert(impl->store.get(), certificate.get());
  }
  return PeerVerifier(std::move(impl));
}

absl::StatusOr<Peer> PeerVerifier::Verify(std::string_view chain_pem, Instant now) const {
  const auto chain = ReadPem(chain_pem);
  if (chain.empty()) return absl::UnauthenticatedError("no client certificate");
  const std::unique_ptr<STACK_OF(X509), Deleter<FreeStack>> untrusted(sk_X509_new_null());
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(untrusted.get(), chain[i].get());
  const StoreCtxPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), impl_->store.get(), chain[0].get(), untrusted.get()) != 1) {
    return absl::InternalError("cannot verify certificates");
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(ToUnixMillis(now) / 1000));
  if (X509_verify_cert(context.get()) != 1) {
    return absl::UnauthenticatedError(
        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  auto identity = ParseSpiffeId(UriOf(chain[0].get()), impl_->trust_domain);
  if (!identity.ok()) return absl::UnauthenticatedError(identity.status().message());
  return Peer{*std::move(identity), ToInstant(X509_get0_notAfter(chain[0].get())),
              SerialOf(chain[0].get())};
}

}  // namespace oppetid
