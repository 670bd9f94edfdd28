// The first question of SMB: does this server speak SMB 2 or 3? No secret is needed for it.
//
// Pure functions, safe from any thread; replies may be hostile ([MS-SMB2] 2.2.3, 2.2.4).
#pragma once

#include <string>
#include <string_view>

namespace oppetid::agent {

// A NEGOTIATE request, with the four bytes of length in front that TCP needs.
std::string BuildSmbNegotiate();

// How many bytes a reply with these four bytes in front has; 0 when it is none.
size_t SmbReplyBytes(std::string_view prefix);
inline constexpr size_t kMaxSmbReplyBytes = 65'536;

// Empty when this is a NEGOTIATE response that agrees on a dialect; else what it is instead.
std::string JudgeSmbReply(std::string_view reply);

}  // namespace oppetid::agent
