// A certificate authority for tests: real certificates, made in a moment, good and bad ones.
//
// Keys are P-256, since RSA keys take too long to make. A failure of OpenSSL aborts the test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/instant.h"

namespace oppetid {

struct TestCertificate {
  std::string certificate;  // PEM; with the intermediates behind it where the issuer is one
  std::string key;          // PEM, not encrypted
};

struct CertificateWish {
  // As OpenSSL writes them: "DNS:portal.example", "IP:127.0.0.1", "URI:spiffe://…".
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};
  // Seconds from now.
  std::chrono::seconds from = std::chrono::hours(-24);
  std::chrono::seconds until = std::chrono::hours(24 * 90);
  // The extended key usage, "serverAuth" or "clientAuth"; none when empty.
  std::string usage = {};
};

class TestCa {
 public:
  // A root of its own, valid for ten years.
  explicit TestCa(const std::string& name = "Test root");
  // An authority that exists already, from PEM texts; nothing when they are none.
  static std::optional<TestCa> Load(const std::string& certificate, const std::string& key);
  ~TestCa();
  TestCa(TestCa&&) noexcept;

  // What clients are to trust, PEM.
  std::string certificate() const;
  TestCertificate Issue(const CertificateWish& wish = {}) const;
  // For the holder of this public key (SubjectPublicKeyInfo, DER); the key stays empty.
  TestCertificate IssueFor(const std::string& public_key, const CertificateWish& wish) const;
  // An authority under this one. Its certificates have its own behind them.
  TestCa Intermediate(const std::string& name, const CertificateWish& validity = {}) const;

 private:
  struct Parts;
  explicit TestCa(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

TestCertificate SelfSigned(const CertificateWish& wish = {});

// The first certificate of a PEM text alone: what a server sends that forgets its intermediates.
std::string LeafOnly(const std::string& pem);

}  // namespace oppetid
