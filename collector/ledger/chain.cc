#include <openssl/evp.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "collector/ledger/ledger.h"
#include "common/check.h"

namespace oppetid::collector {

std::string ChainHash(const std::string& previous, const Act& act) {
  std::string bytes;
  for (const std::string& field :
       {previous, absl::StrCat(act.number), absl::StrCat(ToUnixMillis(act.at)), act.kind, act.who,
        act.on_behalf_of, act.body}) {
    absl::StrAppend(&bytes, field.size(), ":", field);
  }
  std::array<unsigned char, 32> digest{};
  OPPETID_CHECK(
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
      "SHA-256 of memory does not fail");
  std::string hex;
  for (const unsigned char byte : digest) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
  return hex;
}

}  // namespace oppetid::collector
