// The token of an invitation: what `oppetid agent invite` prints and `oppetid-agent enrol` takes.
//
// One word of ASCII: oppetid_<id>_<secret>_<CA>. The id finds the invitation, the secret redeems
// it, and the hash of the CA's key lets the agent know the collector before it trusts anything.
// Pure functions, safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace oppetid {

struct Token {
  std::string id;      // 16 hex digits
  std::string secret;  // 16 bytes
  std::string ca;      // KeyHash of the CA: 64 hex digits
};

Token MakeToken(std::string ca);
std::string FormatToken(const Token& token);
// Space around it is passed by. The error never repeats what was given.
absl::StatusOr<Token> ParseToken(std::string_view text);

// Whether this has the form of a token's id.
bool IsTokenId(std::string_view id);

}  // namespace oppetid
