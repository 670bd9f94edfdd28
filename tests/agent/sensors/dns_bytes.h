// Replies of BIND 9.18 to the questions named, byte for byte, as seeds for tests and fuzzing.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace oppetid::agent {

// Bytes from hexadecimal digits; blanks are passed over.
inline std::vector<uint8_t> FromHex(std::string_view hex) {
  std::vector<uint8_t> bytes;
  int half = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half >= 0) bytes.push_back(static_cast<uint8_t>(half << 4 | digit));
    half = half >= 0 ? -1 : digit;
  }
  return bytes;
}

// example.org A
inline constexpr std::string_view kReplyA =
    "123485000001000100000000076578616d706c65036f72670000010001c00c000100010000012c0004c0000201";
// www.example.org A
inline constexpr std::string_view kReplyCnameA =
    "12348500000100020000000003777777076578616d706c65036f72670000010001c00c000500010000012c0002c0"
    "10c010000100010000012c0004c0000201";
// example.org AAAA
inline constexpr std::string_view kReplyAaaa =
    "123485000001000100000000076578616d706c65036f726700001c0001c00c001c00010000012c001020010db800"
    "0000000000000000000001";
// example.org MX
inline constexpr std::string_view kReplyMx =
    "123485000001000200000000076578616d706c65036f726700000f0001c00c000f00010000012c000a0014056d61"
    "696c32c00cc00c000f00010000012c0009000a046d61696cc00c";
// example.org NS, one of them as "ns2.Example.net" in the zone; with an additional record
inline constexpr std::string_view kReplyNs =
    "123485000001000200000001076578616d706c65036f72670000020001c00c000200010000012c0006036e7331c0"
    "0cc00c000200010000012c0011036e7332074578616d706c65036e657400c029000100010000012c0004c0000235";
// example.org TXT
inline constexpr std::string_view kReplyTxt =
    "123485000001000100000000076578616d706c65036f72670000100001c00c001000010000012c000d07763d7370"
    "663120042d616c6c";
// example.org SOA
inline constexpr std::string_view kReplySoa =
    "123485000001000100000000076578616d706c65036f72670000060001c00c000600010000012c0027036e7331c0"
    "0c0a686f73746d6173746572c00c78c3605500001c2000000e10001275000000012c";
// _ldap._tcp.example.org SRV
inline constexpr std::string_view kReplySrv =
    "123485000001000100000000055f6c646170045f746370076578616d706c65036f72670000210001c00c00210001"
    "0000012c001700000064018503646331076578616d706c65036f726700";
// 1.2.0.192.in-addr.arpa PTR
inline constexpr std::string_view kReplyPtr =
    "1234850000010001000000000131013201300331393207696e2d61646472046172706100000c0001c00c000c0001"
    "0000012c001103777777076578616d706c65036f726700";
// nope.example.org A: NXDOMAIN
inline constexpr std::string_view kReplyNoSuchName =
    "123485030001000000010000046e6f7065076578616d706c65036f72670000010001c011000600010000012c0027"
    "036e7331c0110a686f73746d6173746572c01178c3605500001c2000000e10001275000000012c";
// example.com A, a foreign zone: REFUSED
inline constexpr std::string_view kReplyRefused =
    "123481050001000000000000076578616d706c6503636f6d0000010001";
// example.org A with the truncation flag set and the second of two answers cut off
inline constexpr std::string_view kReplyTruncated =
    "123487000001000200000000076578616d706c65036f72670000010001c00c000100010000012c0004c0000201"
    "c00c0001000100";

}  // namespace oppetid::agent
