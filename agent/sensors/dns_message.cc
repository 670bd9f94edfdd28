#include "agent/sensors/dns_message.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <utility>

namespace oppetid::agent {
namespace {

constexpr size_t kMaxName = 253;     // RFC 1035, 2.3.4: 255 on the wire, length bytes included
constexpr size_t kMaxLabel = 63;     // the same
constexpr size_t kMaxJumps = 32;     // no honest server needs more pointers for one name
constexpr size_t kMaxAnswers = 256;  // a reply of 64 kB may claim thousands; nobody checks for them
constexpr uint16_t kClassInternet = 1;

constexpr auto kTypeNames = std::to_array<std::pair<std::string_view, DnsType>>({
    {"A", DnsType::kA},
    {"AAAA", DnsType::kAaaa},
    {"CNAME", DnsType::kCname},
    {"MX", DnsType::kMx},
    {"NS", DnsType::kNs},
    {"PTR", DnsType::kPtr},
    {"SOA", DnsType::kSoa},
    {"SRV", DnsType::kSrv},
    {"TXT", DnsType::kTxt},
});

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Reads a message from front to back; once something did not fit, every later read fails too.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> message) : message_(message) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }

  uint8_t Byte() {
    if (!Has(1)) return 0;
    return message_[position_++];
  }

  uint16_t Short() {
    const uint16_t high = Byte();
    return static_cast<uint16_t>(high << 8 | Byte());
  }

  uint32_t Long() {
    const uint32_t high = Short();
    return high << 16 | Short();
  }

  std::span<const uint8_t> Bytes(size_t count) {
    if (!Has(count)) return {};
    const auto bytes = message_.subspan(position_, count);
    position_ += count;
    return bytes;
  }

  // A name, following compression pointers; the position ends behind the name where it stood.
  std::string Name() {
    std::string name;
    size_t at = position_;
    size_t lowest = position_;  // pointers must point before everything read so far: no loops
    bool jumped = false;
    for (size_t jumps = 0; ok_;) {
      if (at >= message_.size()) break;
      const uint8_t length = message_[at];
      if ((length & 0xC0) == 0xC0) {
        if (at + 1 >= message_.size() || ++jumps > kMaxJumps) break;
        const size_t target = static_cast<size_t>(length & 0x3F) << 8 | message_[at + 1];
        if (!jumped) position_ = at + 2;
        jumped = true;
        if (target >= lowest) break;
        lowest = at = target;
        continue;
      }
      if (length > kMaxLabel) break;
      if (length == 0) {
        if (!jumped) position_ = at + 1;
        return name.empty() ? "." : name;
      }
      if (at + 1 + length > message_.size()) break;
      if (!name.empty()) name += '.';
      for (size_t i = 0; i < length; ++i) name += Lower(static_cast<char>(message_[at + 1 + i]));
      if (name.size() > kMaxName) break;
      at += 1 + length;
    }
    ok_ = false;
    return {};
  }

 private:
  bool Has(size_t count) {
    if (ok_ && message_.size() - position_ < count) ok_ = false;
    return ok_;
  }

  std::span<const uint8_t> message_;
  size_t position_ = 0;
  bool ok_ = true;
};

std::string AddressText(std::span<const uint8_t> bytes) {
  if (bytes.size() == 4) {
    boost::asio::ip::address_v4::bytes_type v4;
    std::copy(bytes.begin(), bytes.end(), v4.begin());
    return boost::asio::ip::address_v4(v4).to_string();
  }
  boost::asio::ip::address_v6::bytes_type v6;
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return boost::asio::ip::address_v6(v6).to_string();
}

// The data of one record, `end` being where it ends in the message. nullopt when it does not fit.
std::optional<std::string> Value(Reader& reader, uint16_t type, uint16_t length) {
  const size_t end = reader.position() + length;
  std::string value;
  switch (static_cast<DnsType>(type)) {
    case DnsType::kA:
    case DnsType::kAaaa: {
      const size_t expected = type == static_cast<uint16_t>(DnsType::kA) ? 4 : 16;
      if (length != expected) return std::nullopt;
      const auto bytes = reader.Bytes(length);
      if (!reader.ok()) return std::nullopt;
      value = AddressText(bytes);
      break;
    }
    case DnsType::kNs:
    case DnsType::kCname:
    case DnsType::kPtr:
      value = reader.Name();
      break;
    case DnsType::kMx:
      value = std::to_string(reader.Short()) + " ";
      value += reader.Name();
      break;
    case DnsType::kSrv:
      for (int i = 0; i < 3; ++i) value += std::to_string(reader.Short()) + " ";
      value += reader.Name();
      break;
    case DnsType::kSoa:
      value = reader.Name() + " ";
      value += reader.Name();
      for (int i = 0; i < 5; ++i) value += " " + std::to_string(reader.Long());
      break;
    case DnsType::kTxt:
      while (reader.ok() && reader.position() < end) {
        const auto text = reader.Bytes(reader.Byte());
        value.append(reinterpret_cast<const char*>(text.data()), text.size());
      }
      break;
    default:
      reader.Bytes(length);
  }
  if (!reader.ok() || reader.position() != end) return std::nullopt;
  return value;
}

std::optional<DnsRecord> Record(Reader& reader) {
  DnsRecord record;
  record.name = reader.Name();
  record.type = reader.Short();
  const uint16_t record_class = reader.Short();
  reader.Long();  // time to live: nothing is cached here
  const uint16_t length = reader.Short();
  // Data of another class is skipped like an unknown type.
  const uint16_t type = record_class == kClassInternet ? record.type : 0;
  auto value = Value(reader, type, length);
  if (!value) return std::nullopt;
  record.type = type;
  record.value = std::move(*value);
  return record;
}

void PutShort(std::vector<uint8_t>& out, uint16_t number) {
  out.push_back(static_cast<uint8_t>(number >> 8));
  out.push_back(static_cast<uint8_t>(number & 0xFF));
}

}  // namespace

std::optional<DnsType> ParseDnsType(std::string_view name) {
  for (const auto& [known, type] : kTypeNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

std::optional<std::string> NormalDnsName(std::string_view name) {
  if (name == ".") return ".";
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return std::nullopt;
  std::string normal;
  size_t label = 0;
  for (const char c : name) {
    if (c == '.' && label == 0) return std::nullopt;
    label = c == '.' ? 0 : label + 1;
    if (label > kMaxLabel || c <= ' ' || c == '\x7f') return std::nullopt;
    normal += Lower(c);
  }
  if (label == 0) return std::nullopt;
  return normal;
}

std::string ReverseDnsName(std::string_view text) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(text), error);
  if (error) return std::string(text);
  std::string name;
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    for (size_t i = bytes.size(); i-- > 0;) name += std::to_string(bytes[i]) + ".";
    return name + "in-addr.arpa";
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto bytes = address.to_v6().to_bytes();
  for (size_t i = bytes.size(); i-- > 0;) {
    name += kHex[bytes[i] & 0xF];
    name += '.';
    name += kHex[bytes[i] >> 4];
    name += '.';
  }
  return name + "ip6.arpa";
}

std::vector<uint8_t> BuildDnsQuery(uint16_t id, std::string_view name, DnsType type) {
  std::vector<uint8_t> query;
  PutShort(query, id);
  PutShort(query, 0x0100);  // a standard query, recursion desired
  PutShort(query, 1);       // one question; no other records
  for (int i = 0; i < 3; ++i) PutShort(query, 0);
  while (!name.empty() && name != ".") {
    const size_t length = std::min(name.find('.'), name.size());
    query.push_back(static_cast<uint8_t>(length));
    query.insert(query.end(), name.begin(), name.begin() + static_cast<ptrdiff_t>(length));
    name.remove_prefix(std::min(length + 1, name.size()));
  }
  query.push_back(0);
  PutShort(query, static_cast<uint16_t>(type));
  PutShort(query, kClassInternet);
  return query;
}

std::optional<DnsReply> ParseDnsReply(std::span<const uint8_t> message) {
  Reader reader(message);
  DnsReply reply;
  reply.id = reader.Short();
  const uint16_t flags = reader.Short();
  const uint16_t questions = reader.Short();
  const uint16_t answers = reader.Short();
  reader.Long();  // counts of authority and additional records, which are not read
  const bool is_reply = (flags & 0x8000) != 0;
  const bool is_standard = (flags & 0x7800) == 0;
  if (!reader.ok() || !is_reply || !is_standard || questions > 1) return std::nullopt;
  reply.truncated = (flags & 0x0200) != 0;
  reply.rcode = flags & 0xF;
  if (questions == 0) return reply.rcode == 0 ? std::nullopt : std::optional(std::move(reply));
  reply.question = reader.Name();
  reply.question_type = reader.Short();
  if (reader.Short() != kClassInternet || !reader.ok()) return std::nullopt;
  for (size_t i = 0; i < std::min<size_t>(answers, kMaxAnswers); ++i) {
    auto record = Record(reader);
    if (!record && reply.truncated) break;
    if (!record) return std::nullopt;
    reply.answers.push_back(std::move(*record));
  }
  return reply;
}

std::string DnsRcodeName(uint8_t rcode) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"});
  if (rcode < kNames.size()) return std::string(kNames[rcode]);
  return "RCODE " + std::to_string(rcode);
}

}  // namespace oppetid::agent
