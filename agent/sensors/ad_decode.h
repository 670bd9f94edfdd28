// What Active Directory says in its own binary and textual forms, decoded: times, GUIDs, the state
// of a replication link, the answer to an LDAP ping or to SNTP, why a logon was refused.
//
// Pure functions, safe from any thread. Every byte may come from a hostile server: all reading is
// bounded, and what is too short or out of range is nullopt, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/instant.h"

namespace oppetid::agent {

// "20261122073800.0Z" as LDAP and Kerberos write it, with or without a fraction.
std::optional<Instant> ParseGeneralizedTime(std::string_view text);

// FILETIME: 100 ns since 1601. nullopt for 0 and for the great number, which both mean never.
std::optional<Instant> FromFileTime(int64_t ticks);
std::optional<Instant> ParseFileTime(std::string_view digits);

// A decimal number as LDAP gives it; nullopt for anything else.
std::optional<int64_t> ParseDecimal(std::string_view text);

// The 16 bytes of an objectGUID as text, "5b803a96-e5b3-469c-8e36-a759b1d7aa8f".
std::optional<std::string> FormatGuid(std::string_view bytes);

// One inbound link of one naming context, as the controller itself sees it.
struct ReplicationLink {
  std::string source;  // objectGUID of the partner's NTDS Settings
  // By that controller's own clock; nullopt when it never happened.
  std::optional<Instant> last_success;
  std::optional<Instant> last_attempt;
  uint32_t result = 0;  // a Win32 error of the last attempt, 0 for success
  uint32_t failures = 0;
};

// repsFrom, a REPS_FROM of version 1 or 2 ([MS-DRSR] 5.170): what Samba lets everybody read.
std::optional<ReplicationLink> DecodeRepsFrom(std::string_view blob);
// A value of msDS-NCReplInboundNeighbors;binary, a DS_REPL_NEIGHBORW_BLOB ([MS-ADTS] 2.2.2): what
// Windows gives.
std::optional<ReplicationLink> DecodeNeighbor(std::string_view blob);

// What "result" means for people: "refused (1225)", or the number alone.
std::string ReplicationResultText(uint32_t result);

// The flags of a NETLOGON_SAM_LOGON_RESPONSE_EX ([MS-ADTS] 6.3.1.9): what a controller advertises.
std::optional<uint32_t> DecodeLdapPing(std::string_view blob);
inline constexpr uint32_t kAdvertisesPdc = 1U << 0;
inline constexpr uint32_t kAdvertisesGc = 1U << 2;
inline constexpr uint32_t kAdvertisesLdap = 1U << 3;
inline constexpr uint32_t kAdvertisesDs = 1U << 4;
inline constexpr uint32_t kAdvertisesKdc = 1U << 5;
inline constexpr uint32_t kAdvertisesTime = 1U << 6;
inline constexpr uint32_t kAdvertisesWritable = 1U << 8;

// A request of SNTP (RFC 4330) with this cookie in place of our time, which no reply needs; and a
// server's time out of its reply, nullopt when that is none, or none to this cookie.
std::string BuildSntpRequest(uint64_t cookie);
std::optional<Instant> ParseSntpReply(std::string_view reply, uint64_t cookie);

// rIDAvailablePool: the next RID in the lower half, the last one in the upper; the share used.
std::optional<double> RidPoolUsed(std::string_view digits);

// Version= of a GPT.INI.
std::optional<int64_t> ParseGptVersion(std::string_view ini);

// The code in the diagnostic message of a refused simple bind: "… data 52e, v1db1" -> 0x52e.
std::optional<uint32_t> ParseRefusal(std::string_view diagnostic);
// Two of our own: the Kerberos centre does not tell why, and no answer came at all.
inline constexpr uint32_t kRefusedRevoked = 1;
inline constexpr uint32_t kRefusedUnanswered = 2;
// Those codes in words: "wrong password or no such account", "locked" …
std::string RefusalText(uint32_t code);
// Whether a refusal says that the password is wrong, or may say so: each of these counts towards
// the account's lock-out.
bool RefusalCounts(uint32_t code);

}  // namespace oppetid::agent
