#include "common/pki.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/openssl.h"

namespace oppetid {
namespace {

constexpr size_t kMaxKeys = 4;
// A chain of more certificates than this is no chain of ours.
constexpr size_t kMaxCertificates = 8;
constexpr char kCurve[] = "P-256";
// A SubjectPublicKeyInfo of this curve has 91 bytes, or 59 compressed; a signature at most 72.
constexpr size_t kMaxPublicKeyBytes = 128;
constexpr size_t kMaxSignatureBytes = 128;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslDeleter<GENERAL_NAMES_free>>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsOurCurve(const EVP_PKEY* key) {
  char name[32] = "";
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, name, sizeof name, nullptr) == 1 &&
         OBJ_sn2nid(name) == NID_X9_62_prime256v1;
}

std::string PublicKeyOf(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return "";
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

KeyPtr ReadPublicKey(std::string_view der) {
  if (der.size() > kMaxPublicKeyBytes) return nullptr;
  const unsigned char* at = Bytes(der);
  KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  const bool whole = key != nullptr && at == Bytes(der) + der.size();
  return whole && IsOurCurve(key.get()) ? std::move(key) : nullptr;
}

std::string TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string AddressOf(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "";
  return ::inet_ntop(family, bytes.data(), text, sizeof text) == nullptr ? "" : text;
}

void ReadNames(X509* certificate, CertificateFacts* facts) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  int uris = 0;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) facts->names.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) facts->names.push_back(AddressOf(TextOf(name->d.iPAddress)));
    if (name->type != GEN_URI) continue;
    facts->uri = ++uris == 1 ? TextOf(name->d.uniformResourceIdentifier) : "";
  }
  std::sort(facts->names.begin(), facts->names.end());
}

Instant ToInstant(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return FromUnixMillis(static_cast<int64_t>(::timegm(&fields)) * 1000);
}

std::string SerialOf(X509* certificate) {
  const BignumPtr number(ASN1_INTEGER_to_BN(X509_get_serialNumber(certificate), nullptr));
  char* hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  std::string serial = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  return serial;
}

}  // namespace

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  OPPETID_CHECK(
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1,
      "the system has no randomness");
  return bytes;
}

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(bytes), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

PrivateKey::PrivateKey(evp_pkey_st* key)
    : key_(key, EVP_PKEY_free), public_key_(PublicKeyOf(key)) {}

PrivateKey PrivateKey::Make() {
  EVP_PKEY* key = EVP_EC_gen(kCurve);
  OPPETID_CHECK(key != nullptr, "OpenSSL makes P-256 keys");
  return PrivateKey(key);
}

std::vector<PrivateKey> PrivateKey::ReadAll(std::string_view pem) {
  std::vector<PrivateKey> keys;
  const BioPtr bio = ReadFrom(pem);
  // An encrypted key must not make a program ask for a password.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  while (keys.size() < kMaxKeys) {
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr);
    if (key == nullptr) break;
    if (IsOurCurve(key)) {
      keys.push_back(PrivateKey(key));
    } else {
      EVP_PKEY_free(key);
    }
  }
  return keys;
}

std::string PrivateKey::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  OPPETID_CHECK(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr),
      "a key can be written");
  return WrittenTo(bio);
}

std::string PrivateKey::Sign(std::string_view message) const {
  const DigestPtr digest(EVP_MD_CTX_new());
  size_t size = kMaxSignatureBytes;
  std::string signature(size, '\0');
  OPPETID_CHECK(EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
                    EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                   &size, Bytes(message), message.size()) == 1,
                "a key of ours signs");
  signature.resize(size);
  return signature;
}

absl::Status CheckPublicKey(std::string_view public_key) {
  const KeyPtr key = ReadPublicKey(public_key);
  // In one form only, so that its hash stands for the key.
  if (key == nullptr || PublicKeyOf(key.get()) != public_key) {
    return absl::InvalidArgumentError("not a public key on the curve P-256");
  }
  return absl::OkStatus();
}

bool Proves(std::string_view public_key, std::string_view message, std::string_view signature) {
  const KeyPtr key = ReadPublicKey(public_key);
  if (key == nullptr || signature.size() > kMaxSignatureBytes) return false;
  const DigestPtr digest(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
         EVP_DigestVerify(digest.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

std::string EnrolMessage(std::string_view token_id) {
  return "oppetid enrol " + std::string(token_id);
}

std::string RenewMessage(std::string_view public_key) {
  return "oppetid renew " + std::string(public_key);
}

CertificateFacts FactsOf(x509_st* certificate) {
  CertificateFacts facts;
  facts.serial = SerialOf(certificate);
  ReadNames(certificate, &facts);
  if (EVP_PKEY* key = X509_get0_pubkey(certificate)) facts.public_key = PublicKeyOf(key);
  facts.from = ToInstant(X509_get0_notBefore(certificate));
  facts.until = ToInstant(X509_get0_notAfter(certificate));
  return facts;
}

std::vector<PemCertificate> ReadCertificates(std::string_view pem) {
  std::vector<PemCertificate> certificates;
  const BioPtr bio = ReadFrom(pem);
  while (certificates.size() < kMaxCertificates) {
    const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate.get());
    certificates.push_back({FactsOf(certificate.get()), WrittenTo(out)});
  }
  return certificates;
}

std::string KeyHash(std::string_view public_key) { return ToHex(Sha256(public_key)); }

}  // namespace oppetid
