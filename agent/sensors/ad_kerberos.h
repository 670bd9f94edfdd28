// The first question of a Kerberos logon, asked without a secret: is this key distribution centre
// at work, and what time does it think it is?
//
// An AS-REQ without pre-authentication (RFC 4120) is answered with KRB-ERROR 25 (more is needed) or
// 6 (no such principal); both carry the centre's clock, and neither counts as a bad password. By
// hand, because libkrb5 goes on to another centre when one is down.
// Pure functions, safe from any thread; replies may be hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/instant.h"

namespace oppetid::agent {

inline constexpr int kPreauthRequired = 25;
inline constexpr int kPrincipalUnknown = 6;
inline constexpr int kClientRevoked = 18;

std::string BuildAsRequest(std::string_view account, std::string_view realm, uint32_t nonce);

struct KerberosReply {
  int error = 0;                // 0 for an AS-REP
  std::optional<Instant> time;  // of the centre, in a KRB-ERROR
};

// Whether a centre with this answer serves the realm: those that it gives are about the account
// only.
bool ServesRealm(int error);

// nullopt for anything that is neither an AS-REP nor a KRB-ERROR.
std::optional<KerberosReply> ParseKerberosReply(std::string_view message);

}  // namespace oppetid::agent
