// DNS messages (RFC 1035, 2782, 3596): a question encoded, a reply decoded.
//
// Own code and not a resolver library, since a check must ask one named server one question and
// see the answer as it came. Pure functions, safe from any thread; every byte of a reply may be
// hostile, so all reading is bounded and compression pointers may only point backwards.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

// The types a check may ask for, by their numbers on the wire.
enum class DnsType : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
};

std::optional<DnsType> ParseDnsType(std::string_view name);

// A name as it is compared: lower case, no dot at the end; nullopt when it is no possible name
// (labels of 1 to 63 bytes, at most 253 in all). "." is the root.
std::optional<std::string> NormalDnsName(std::string_view name);

// "2.0.192.in-addr.arpa" and the like for an address literal; any other text is given back.
std::string ReverseDnsName(std::string_view text);

// A recursive question for a name as NormalDnsName gives it.
std::vector<uint8_t> BuildDnsQuery(uint16_t id, std::string_view name, DnsType type);

struct DnsRecord {
  std::string name;  // owner, as NormalDnsName gives it
  uint16_t type = 0;
  // A and AAAA: the address; names in normal form; MX "10 mail.example"; SRV
  // "priority weight port target"; SOA "mname rname serial refresh retry expire minimum"; TXT: the
  // strings joined, raw bytes. Empty for types not listed above.
  std::string value;
};

struct DnsReply {
  uint16_t id = 0;
  bool truncated = false;
  uint8_t rcode = 0;
  // The name asked for, as the reply repeats it; empty when an error repeats no question.
  std::string question;
  uint16_t question_type = 0;
  std::vector<DnsRecord> answers;  // at most 256
};

// Decodes a reply; nullopt for anything malformed. A truncated reply has the answers that came
// whole, possibly none.
std::optional<DnsReply> ParseDnsReply(std::span<const uint8_t> message);

// "NXDOMAIN", "SERVFAIL" …, or "RCODE 11".
std::string DnsRcodeName(uint8_t rcode);

}  // namespace oppetid::agent
