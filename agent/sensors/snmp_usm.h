// The User-based Security Model of SNMPv3: keys from passphrases, HMAC-SHA authentication and
// AES-128 encryption (RFC 3414, 3826, 7860), through OpenSSL. Nothing weaker is offered.
//
// Pure functions, safe from any thread. Errors read as empty or false.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oppetid::agent {

enum class UsmAuth { kSha1, kSha224, kSha256, kSha384, kSha512 };

inline constexpr std::array<std::string_view, 5> kUsmAuthNames = {"sha1", "sha224", "sha256",
                                                                  "sha384", "sha512"};

// RFC 3414: shorter ones are refused.
inline constexpr size_t kMinUsmPassphrase = 8;
inline constexpr size_t kUsmSaltBytes = 8;

// The key of this passphrase (not empty) at this engine. Hashes a megabyte: some milliseconds.
std::string UsmKey(UsmAuth auth, std::string_view passphrase, std::string_view engine);

size_t UsmMacBytes(UsmAuth auth);
std::string UsmMac(UsmAuth auth, std::string_view key, std::string_view message);
// In a time that does not tell where the difference is.
bool UsmSameMac(std::string_view a, std::string_view b);

// What the cipher is started with; `salt` has kUsmSaltBytes.
struct UsmCipherStart {
  int64_t boots = 0;
  int64_t time = 0;
  std::string salt;
};
// nullopt when the key is too short, the salt has another length, or OpenSSL refuses.
std::optional<std::string> UsmEncrypt(std::string_view key, const UsmCipherStart& start,
                                      std::string_view text);
std::optional<std::string> UsmDecrypt(std::string_view key, const UsmCipherStart& start,
                                      std::string_view text);

}  // namespace oppetid::agent
