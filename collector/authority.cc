#include "collector/authority.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/openssl.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr Millis kAuthorityLife = std::chrono::hours(24 * 3650);
// A certificate begins this part of its life before it is made, for clocks that differ.
constexpr int kEarlyPart = 100;
// RFC 5280 allows 20 bytes; the first is kept small, so that the number is positive.
constexpr size_t kSerialBytes = 16;

struct Wish {
  std::string name;  // common name of the subject
  std::string alternatives;
  std::string usage;  // extended key usage; of a CA empty
  Instant now;
  Millis life{};
};

bool IsAddress(const std::string& name) {
  in6_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool Extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool SetDates(X509* certificate, const Wish& wish) {
  const auto seconds = [](Instant at) { return static_cast<time_t>(ToUnixMillis(at) / 1000); };
  return ASN1_TIME_set(X509_getm_notBefore(certificate),
                       seconds(wish.now - wish.life / kEarlyPart)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(wish.now + wish.life)) != nullptr;
}

bool SetSerial(X509* certificate) {
  std::string bytes = RandomBytes(kSerialBytes);
  bytes[0] = static_cast<char>((bytes[0] & 0x3F) | 0x40);
  const BignumPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// A certificate for `key`, by the issuer, or by itself when there is none. Null when OpenSSL
// refuses.
X509Ptr Make(const Wish& wish, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  X509Ptr made(X509_new());
  X509* raw = made.get();
  const bool authority = issuer == nullptr;
  if (authority) issuer = raw;
  const bool fine =
      raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 && SetSerial(raw) &&
      SetDates(raw, wish) &&
      X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1,
                                 0) == 1 &&
      X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1 &&
      X509_set_pubkey(raw, key) == 1 &&
      Extend(raw, issuer, NID_basic_constraints,
             authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
      Extend(raw, issuer, NID_subject_key_identifier, "hash") &&
      Extend(raw, issuer, NID_key_usage,
             authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
      (authority || (Extend(raw, issuer, NID_authority_key_identifier, "keyid") &&
                     Extend(raw, issuer, NID_subject_alt_name, wish.alternatives) &&
                     Extend(raw, issuer, NID_ext_key_usage, wish.usage))) &&
      X509_sign(raw, issuer_key, EVP_sha256()) > 0;
  return fine ? std::move(made) : nullptr;
}

PemCertificate Facts(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return {FactsOf(certificate), WrittenTo(bio)};
}

absl::StatusOr<Issued> Issue(const Authority& authority, std::string_view public_key,
                             const Wish& wish) {
  if (!authority.key()) return absl::FailedPreconditionError("this CA has no key here");
  if (auto status = CheckPublicKey(public_key); !status.ok()) return status;
  const auto* at = reinterpret_cast<const unsigned char*>(public_key.data());
  const KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(public_key.size())));
  const X509Ptr issuer(
      PEM_read_bio_X509(ReadFrom(authority.pem()).get(), nullptr, nullptr, nullptr));
  if (key == nullptr || issuer == nullptr) return absl::InternalError("cannot read a certificate");
  const X509Ptr made = Make(wish, key.get(), issuer.get(), authority.key()->handle());
  if (made == nullptr) return absl::InternalError("OpenSSL could not make a certificate");
  PemCertificate facts = Facts(made.get());
  return Issued{std::move(facts.pem), std::move(facts.serial), facts.until};
}

}  // namespace

Authority::Authority(PemCertificate certificate, std::optional<PrivateKey> key)
    : certificate_(std::move(certificate)),
      hash_(KeyHash(certificate_.public_key)),
      key_(std::move(key)) {}

absl::StatusOr<Authority> Authority::Make(const PrivateKey& key, Instant now) {
  // Each has a name of its own, so that nobody tries one's key on another's certificates.
  const Wish wish{absl::StrCat("Oppetid CA ", KeyHash(key.public_key()).substr(0, 8)), "", "", now,
                  kAuthorityLife};
  const X509Ptr made = collector::Make(wish, key.handle(), nullptr, key.handle());
  if (made == nullptr) return absl::InternalError("OpenSSL could not make a CA");
  return Authority(Facts(made.get()), key);
}

absl::StatusOr<Issued> Authority::IssueAgent(std::string_view public_key, const Identity& identity,
                                             const std::string& trust_domain, Instant now,
                                             Millis life) const {
  if (!IsId(identity.municipality) || !IsId(identity.host) || !IsId(trust_domain)) {
    return absl::InvalidArgumentError("municipality and host are 1 to 63 of a-z, 0-9, - and .");
  }
  return Issue(*this, public_key,
               {identity.host,
                "URI:spiffe://" + trust_domain + "/municipality/" + identity.municipality +
                    "/host/" + identity.host,
                "clientAuth", now, life});
}

absl::StatusOr<Issued> Authority::IssueServer(std::string_view public_key,
                                              const std::vector<std::string>& names, Instant now,
                                              Millis life) const {
  std::string alternatives;
  for (const std::string& name : names) {
    if (!IsServerName(name)) return absl::InvalidArgumentError(OneLine(name) + " is no name");
    alternatives +=
        (alternatives.empty() ? "" : ",") + std::string(IsAddress(name) ? "IP:" : "DNS:") + name;
  }
  return Issue(*this, public_key, {"oppetid-collector", alternatives, "serverAuth", now, life});
}

bool IsServerName(const std::string& name) {
  if (IsAddress(name)) return true;
  constexpr char kAllowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  return IsId(name.substr(0, 63)) && name.size() <= 253 &&
         name.find_first_not_of(kAllowed) == std::string::npos;
}

}  // namespace oppetid::collector
