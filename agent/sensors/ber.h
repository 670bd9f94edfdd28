// The part of ASN.1's Basic Encoding Rules that SNMP uses: definite lengths, one-byte tags.
// Pure; a reader never looks beyond what it was given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

using Oid = std::vector<uint32_t>;

// "1.3.6.1.2.1" or ".1.3.6.1.2.1": 2 to 128 numbers, as SNMP allows; nullopt otherwise.
std::optional<Oid> ParseOid(std::string_view text);
bool IsUnder(const Oid& oid, const Oid& root);

namespace ber {

inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kOctets = 0x04;
inline constexpr uint8_t kNull = 0x05;
inline constexpr uint8_t kOid = 0x06;
inline constexpr uint8_t kSequence = 0x30;

std::string Item(uint8_t tag, std::string_view content);
std::string Integer(int64_t value);
// `oid` has at least two numbers.
std::string ObjectId(const Oid& oid);

struct Tagged {
  uint8_t tag = 0;
  std::string_view content;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  // The next item; nullopt at the end, and for anything malformed.
  std::optional<Tagged> Next();
  // The content of the next item when it has this tag; nullopt otherwise.
  std::optional<std::string_view> Take(uint8_t tag);
  std::optional<int64_t> TakeInteger();

 private:
  std::string_view rest_;
};

// Contents, without tag and length. At most 8 bytes; an unsigned one may have a leading zero more.
std::optional<int64_t> SignedOf(std::string_view content);
std::optional<uint64_t> UnsignedOf(std::string_view content);
std::optional<Oid> OidOf(std::string_view content);

}  // namespace ber
}  // namespace oppetid::agent
