#include "agent/sensors/snmp_usm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <memory>

namespace oppetid::agent {
namespace {

constexpr size_t kHashedBytes = 1'048'576;  // RFC 3414, A.2
constexpr size_t kAesKeyBytes = 16;

struct AuthTraits {
  const EVP_MD* (*digest)();
  size_t mac_bytes;
};

AuthTraits TraitsOf(UsmAuth auth) {
  switch (auth) {
    case UsmAuth::kSha1:
      return {EVP_sha1, 12};
    case UsmAuth::kSha224:
      return {EVP_sha224, 16};
    case UsmAuth::kSha256:
      return {EVP_sha256, 24};
    case UsmAuth::kSha384:
      return {EVP_sha384, 32};
    case UsmAuth::kSha512:
      break;
  }
  return {EVP_sha512, 48};
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

std::string Hash(UsmAuth auth, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const EVP_MD* digest = TraitsOf(auth).digest();
  if (EVP_Digest(text.data(), text.size(), Bytes(out), &size, digest, nullptr) != 1) return "";
  out.resize(size);
  return out;
}

// The hash of a megabyte of the passphrase, written again and again.
std::string MasterKey(UsmAuth auth, std::string_view passphrase) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), TraitsOf(auth).digest(), nullptr) != 1) {
    return "";
  }
  std::string block;
  while (block.size() < 4096) block += passphrase;
  for (size_t done = 0; done < kHashedBytes;) {
    const size_t size = std::min(block.size(), kHashedBytes - done);
    if (EVP_DigestUpdate(context.get(), block.data(), size) != 1) return "";
    done += size;
  }
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context.get(), Bytes(out), &size) != 1) return "";
  out.resize(size);
  return out;
}

std::optional<std::string> Crypt(std::string_view key, const UsmCipherStart& start,
                                 std::string_view text, bool encrypt) {
  if (key.size() < kAesKeyBytes || start.salt.size() != kUsmSaltBytes) return std::nullopt;
  std::string vector;
  for (const int64_t number : {start.boots, start.time}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      vector += static_cast<char>(number >> shift & 0xFF);
    }
  }
  vector += start.salt;
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context(EVP_CIPHER_CTX_new());
  std::string out(text.size(), '\0');
  int size = 0;
  if (!context ||
      EVP_CipherInit_ex(context.get(), EVP_aes_128_cfb128(), nullptr, Bytes(key), Bytes(vector),
                        encrypt ? 1 : 0) != 1 ||
      EVP_CipherUpdate(context.get(), Bytes(out), &size, Bytes(text),
                       static_cast<int>(text.size())) != 1 ||
      static_cast<size_t>(size) != text.size()) {
    return std::nullopt;
  }
  return out;
}

}  // namespace

std::string UsmKey(UsmAuth auth, std::string_view passphrase, std::string_view engine) {
  if (passphrase.empty()) return "";
  const std::string master = MasterKey(auth, passphrase);
  return Hash(auth, master + std::string(engine) + master);
}

size_t UsmMacBytes(UsmAuth auth) { return TraitsOf(auth).mac_bytes; }

std::string UsmMac(UsmAuth auth, std::string_view key, std::string_view message) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const AuthTraits traits = TraitsOf(auth);
  if (HMAC(traits.digest(), key.data(), static_cast<int>(key.size()), Bytes(message),
           message.size(), Bytes(out), &size) == nullptr) {
    return "";
  }
  out.resize(traits.mac_bytes);
  return out;
}

bool UsmSameMac(std::string_view a, std::string_view b) {
  return !a.empty() && a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::string> UsmEncrypt(std::string_view key, const UsmCipherStart& start,
                                      std::string_view text) {
  return Crypt(key, start, text, true);
}

std::optional<std::string> UsmDecrypt(std::string_view key, const UsmCipherStart& start,
                                      std::string_view text) {
  return Crypt(key, start, text, false);
}

}  // namespace oppetid::agent
