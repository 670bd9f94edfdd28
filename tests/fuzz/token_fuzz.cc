// Fuzzes what a stranger can send before it has a certificate: the token's text, public keys and
// proofs, and PEM texts as they stand in files and answers.
#include <algorithm>
#include <cstdint>

#include "common/check.h"
#include "common/pki.h"
#include "common/token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto token = oppetid::ParseToken(input); token.ok()) {
    OPPETID_CHECK(oppetid::IsTokenId(token->id) && token->secret.size() == 16, "a token is whole");
    const std::string text = oppetid::FormatToken(*token);
    OPPETID_CHECK(input.find(text) != std::string_view::npos, "and nothing else was read");
    OPPETID_CHECK(oppetid::FormatToken(*oppetid::ParseToken(text)) == text, "it reads back");
  }
  // One byte says where the key ends and the proof begins.
  const size_t cut = input.empty() ? 0 : std::min<size_t>(data[0], size - 1);
  const std::string_view key = input.substr(input.empty() ? 0 : 1, cut);
  const std::string_view proof = input.empty() ? input : input.substr(1 + cut);
  const bool fine = oppetid::CheckPublicKey(key).ok();
  OPPETID_CHECK(!fine || key.size() == 91, "a P-256 key in its one form");
  (void)oppetid::Proves(key, oppetid::EnrolMessage("0123456789abcdef"), proof);
  for (const auto& certificate : oppetid::ReadCertificates(input)) {
    OPPETID_CHECK(!certificate.pem.empty(), "what was read can be written");
    (void)oppetid::KeyHash(certificate.public_key);
  }
  for (const auto& private_key : oppetid::PrivateKey::ReadAll(input)) {
    OPPETID_CHECK(oppetid::CheckPublicKey(private_key.public_key()).ok(), "a key is a key");
  }
  return 0;
}
