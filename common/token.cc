#include "common/token.h"

#include <algorithm>

#include "common/pki.h"

namespace oppetid {
namespace {

constexpr std::string_view kBegin = "oppetid_";
constexpr size_t kIdBytes = 8;       // enough to find an invitation by
constexpr size_t kSecretBytes = 16;  // 128 bits cannot be guessed
constexpr size_t kIdDigits = 2 * kIdBytes;
constexpr size_t kSecretDigits = 2 * kSecretBytes;
constexpr size_t kHashDigits = 64;
constexpr size_t kSize = kBegin.size() + kIdDigits + 1 + kSecretDigits + 1 + kHashDigits;

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return Digit(c) >= 0; });
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(Digit(hex[i]) * 16 + Digit(hex[i + 1]));
  }
  return bytes;
}

std::string_view Trimmed(std::string_view text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

bool IsTokenId(std::string_view id) { return id.size() == kIdDigits && IsHex(id); }

Token MakeToken(std::string ca) {
  return {ToHex(RandomBytes(kIdBytes)), RandomBytes(kSecretBytes), std::move(ca)};
}

std::string FormatToken(const Token& token) {
  return std::string(kBegin) + token.id + "_" + ToHex(token.secret) + "_" + token.ca;
}

absl::StatusOr<Token> ParseToken(std::string_view text) {
  text = Trimmed(text);
  if (text.empty()) return absl::InvalidArgumentError("the token is empty");
  if (!text.starts_with(kBegin)) {
    return absl::InvalidArgumentError(
        "this is no token: one begins with oppetid_, as `oppetid agent invite` prints it");
  }
  if (text.size() != kSize) {
    return absl::InvalidArgumentError("the token is not whole: it has " +
                                      std::to_string(text.size()) + " characters, not " +
                                      std::to_string(kSize));
  }
  text.remove_prefix(kBegin.size());
  const std::string_view id = text.substr(0, kIdDigits);
  const std::string_view secret = text.substr(kIdDigits + 1, kSecretDigits);
  const std::string_view ca = text.substr(kIdDigits + 1 + kSecretDigits + 1);
  if (text[kIdDigits] != '_' || text[kIdDigits + 1 + kSecretDigits] != '_' || !IsHex(id) ||
      !IsHex(secret) || !IsHex(ca)) {
    return absl::InvalidArgumentError("the token is damaged: it has characters it cannot have");
  }
  return Token{std::string(id), FromHex(secret), std::string(ca)};
}

}  // namespace oppetid
