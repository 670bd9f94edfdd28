// Keys and certificates as both programs handle them: P-256 keys, proofs that somebody holds one,
// and what stands in a certificate. Who a peer is, by a verified certificate: identity.h.
//
// Pure but for the random generator; safe from any thread. What comes from outside is bounded and
// refused as a value.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/instant.h"

struct evp_pkey_st;
struct x509_st;

namespace oppetid {

// The kernel's randomness, by way of OpenSSL; a failure ends the program.
std::string RandomBytes(size_t count);
// 32 bytes.
std::string Sha256(std::string_view bytes);
// Lower-case hex digits of the bytes.
std::string ToHex(std::string_view bytes);
// Whether two secrets are equal, in a time that depends on their sizes only.
bool SameSecret(std::string_view a, std::string_view b);

// A private key on the curve P-256.
class PrivateKey {
 public:
  static PrivateKey Make();
  // The P-256 keys in a PEM text, in its order, at most four; other content is passed by.
  static std::vector<PrivateKey> ReadAll(std::string_view pem);

  std::string ToPem() const;  // PKCS #8, not encrypted
  // SubjectPublicKeyInfo, DER.
  const std::string& public_key() const { return public_key_; }
  // ECDSA with SHA-256 over the message.
  std::string Sign(std::string_view message) const;
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  explicit PrivateKey(evp_pkey_st* key);
  std::shared_ptr<evp_pkey_st> key_;
  std::string public_key_;
};

// Whether these bytes are the SubjectPublicKeyInfo of a P-256 key, DER, and nothing besides.
absl::Status CheckPublicKey(std::string_view public_key);
// Whether the holder of the private key has signed the message.
bool Proves(std::string_view public_key, std::string_view message, std::string_view signature);

// What is signed to enrol, and to renew (proto, EnrolRequest and RenewalRequest).
std::string EnrolMessage(std::string_view token_id);
std::string RenewMessage(std::string_view public_key);

// What stands in a certificate.
struct CertificateFacts {
  std::string serial;      // hex
  std::string public_key;  // SubjectPublicKeyInfo, DER
  std::string uri;         // the single URI among its names; empty without, or with more than one
  std::vector<std::string> names;  // host names and addresses, sorted
  Instant from, until;
};
CertificateFacts FactsOf(x509_st* certificate);

struct PemCertificate : CertificateFacts {
  std::string pem;  // of this one alone
};
// The certificates in a PEM text, in its order, at most eight; other content is passed by.
std::vector<PemCertificate> ReadCertificates(std::string_view pem);

// How a CA is named in tokens and messages: the SHA-256 of its public key, 64 hex digits.
std::string KeyHash(std::string_view public_key);

}  // namespace oppetid
