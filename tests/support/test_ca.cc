#include "tests/support/test_ca.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace oppetid {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

void Check(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "test CA: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

Key NewKey() {
  Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  Check(key != nullptr, "making a key");
  return key;
}

std::string Text(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string Pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  Check(PEM_write_bio_X509(bio.get(), certificate) == 1, "writing a certificate");
  return Text(bio);
}

std::string Pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  Check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "writing a key");
  return Text(bio);
}

void Extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  Check(extension != nullptr, value.c_str());
  Check(X509_add_ext(certificate, extension, -1) == 1, "adding an extension");
  X509_EXTENSION_free(extension);
}

// A certificate for `key`, signed by the issuer, or by itself when there is none.
Cert Make(const std::string& name, const CertificateWish& wish, bool authority, EVP_PKEY* key,
          X509* issuer, EVP_PKEY* issuer_key) {
  Cert certificate(X509_new(), X509_free);
  X509* raw = certificate.get();
  X509_set_version(raw, X509_VERSION_3);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(raw), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(raw), static_cast<long>(wish.from.count()));
  X509_gmtime_adj(X509_getm_notAfter(raw), static_cast<long>(wish.until.count()));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  if (issuer == nullptr) issuer = raw;
  X509_set_issuer_name(raw, X509_get_subject_name(issuer));
  X509_set_pubkey(raw, key);
  Extend(raw, issuer, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  Extend(raw, issuer, NID_subject_key_identifier, "hash");
  if (issuer != raw) Extend(raw, issuer, NID_authority_key_identifier, "keyid");
  if (authority) Extend(raw, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  if (!authority && !wish.names.empty()) {
    std::string names;
    for (const std::string& one : wish.names) names += (names.empty() ? "" : ",") + one;
    Extend(raw, issuer, NID_subject_alt_name, names);
  }
  if (!authority && !wish.usage.empty()) Extend(raw, issuer, NID_ext_key_usage, wish.usage);
  Check(X509_sign(raw, issuer_key, EVP_sha256()) > 0, "signing");
  return certificate;
}

}  // namespace

struct TestCa::Parts {
  Key key{nullptr, EVP_PKEY_free};
  Cert certificate{nullptr, X509_free};
  std::string behind;  // what its certificates carry behind them
};

TestCa::TestCa(const std::string& name) : parts_(std::make_unique<Parts>()) {
  CertificateWish wish;
  wish.until = std::chrono::hours(24 * 3650);
  parts_->key = NewKey();
  parts_->certificate = Make(name, wish, true, parts_->key.get(), nullptr, parts_->key.get());
}

std::optional<TestCa> TestCa::Load(const std::string& certificate, const std::string& key) {
  const auto open = [](const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  };
  auto parts = std::make_unique<Parts>();
  parts->certificate.reset(PEM_read_bio_X509(open(certificate).get(), nullptr, nullptr, nullptr));
  parts->key.reset(PEM_read_bio_PrivateKey(open(key).get(), nullptr, nullptr, nullptr));
  if (parts->certificate == nullptr || parts->key == nullptr) return std::nullopt;
  return TestCa(std::move(parts));
}

TestCa::TestCa(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TestCa::~TestCa() = default;
TestCa::TestCa(TestCa&&) noexcept = default;

std::string TestCa::certificate() const { return Pem(parts_->certificate.get()); }

TestCertificate TestCa::Issue(const CertificateWish& wish) const {
  const Key key = NewKey();
  const Cert certificate =
      Make("Test host", wish, false, key.get(), parts_->certificate.get(), parts_->key.get());
  return {Pem(certificate.get()) + parts_->behind, Pem(key.get())};
}

TestCertificate TestCa::IssueFor(const std::string& public_key, const CertificateWish& wish) const {
  const auto* at = reinterpret_cast<const unsigned char*>(public_key.data());
  const Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(public_key.size())), EVP_PKEY_free);
  Check(key != nullptr, "reading a public key");
  const Cert certificate =
      Make("Test host", wish, false, key.get(), parts_->certificate.get(), parts_->key.get());
  return {Pem(certificate.get()) + parts_->behind, ""};
}

TestCa TestCa::Intermediate(const std::string& name, const CertificateWish& validity) const {
  auto parts = std::make_unique<Parts>();
  parts->key = NewKey();
  parts->certificate =
      Make(name, validity, true, parts->key.get(), parts_->certificate.get(), parts_->key.get());
  parts->behind = Pem(parts->certificate.get()) + parts_->behind;
  return TestCa(std::move(parts));
}

TestCertificate SelfSigned(const CertificateWish& wish) {
  const Key key = NewKey();
  const Cert certificate = Make("Test host", wish, false, key.get(), nullptr, key.get());
  return {Pem(certificate.get()), Pem(key.get())};
}

std::string LeafOnly(const std::string& pem) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
  return pem.substr(0, pem.find(kEnd) + kEnd.size());
}

}  // namespace oppetid
