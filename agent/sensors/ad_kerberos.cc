#include "agent/sensors/ad_kerberos.h"

#include "agent/sensors/ad_decode.h"

namespace oppetid::agent {
namespace {

constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kBitString = 0x03;
constexpr uint8_t kGeneralizedTime = 0x18;
constexpr uint8_t kGeneralString = 0x1b;
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kAsReq = 0x6a;     // APPLICATION 10
constexpr uint8_t kAsRep = 0x6b;     // APPLICATION 11
constexpr uint8_t kKrbError = 0x7e;  // APPLICATION 30
constexpr uint8_t Context(int number) { return static_cast<uint8_t>(0xa0 + number); }

// Names are at most 253 bytes, so two bytes of length are enough.
std::string Tlv(uint8_t tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  const size_t size = content.size();
  if (size >= 256) {
    out += static_cast<char>(0x82);
    out += static_cast<char>(size >> 8);
  } else if (size >= 128) {
    out += static_cast<char>(0x81);
  }
  out += static_cast<char>(size & 0xFF);
  return out.append(content);
}

std::string Integer(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto byte = static_cast<uint8_t>(value >> shift);
    if (byte != 0 || !bytes.empty() || shift == 0) bytes += static_cast<char>(byte);
  }
  if ((static_cast<uint8_t>(bytes.front()) & 0x80) != 0) bytes.insert(bytes.begin(), '\0');
  return Tlv(kInteger, bytes);
}

std::string PrincipalName(uint32_t type, std::string_view first, std::string_view second) {
  std::string parts = Tlv(kGeneralString, first);
  if (!second.empty()) parts += Tlv(kGeneralString, second);
  return Tlv(kSequence, Tlv(Context(0), Integer(type)) + Tlv(Context(1), Tlv(kSequence, parts)));
}

struct Element {
  uint8_t tag = 0;
  std::string_view content;
};

// Takes the first element off `rest`; nullopt when it is cut off or longer than any reply.
std::optional<Element> Take(std::string_view& rest) {
  if (rest.size() < 2) return std::nullopt;
  Element element;
  element.tag = static_cast<uint8_t>(rest[0]);
  size_t size = static_cast<uint8_t>(rest[1]);
  size_t at = 2;
  if ((size & 0x80) != 0) {
    const size_t bytes = size & 0x7F;
    if (bytes == 0 || bytes > 3 || rest.size() < at + bytes) return std::nullopt;
    size = 0;
    for (size_t i = 0; i < bytes; ++i) size = size << 8 | static_cast<uint8_t>(rest[at++]);
  }
  if (rest.size() - at < size) return std::nullopt;
  element.content = rest.substr(at, size);
  rest.remove_prefix(at + size);
  return element;
}

}  // namespace

std::string BuildAsRequest(std::string_view account, std::string_view realm, uint32_t nonce) {
  constexpr uint32_t kNamePrincipal = 1;
  constexpr uint32_t kNameService = 2;
  constexpr uint32_t kProtocol = 5;
  constexpr uint32_t kMessageType = 10;
  // forwardable, renewable, canonicalize, renewable-ok: what clients ask for.
  const std::string options = Tlv(kBitString, std::string_view("\0\x50\x81\x00\x10", 5));
  std::string types;
  for (const uint32_t type : {18U, 17U, 23U}) types += Integer(type);  // AES-256, AES-128, RC4
  const std::string body =
      Tlv(Context(0), options) + Tlv(Context(1), PrincipalName(kNamePrincipal, account, "")) +
      Tlv(Context(2), Tlv(kGeneralString, realm)) +
      Tlv(Context(3), PrincipalName(kNameService, "krbtgt", realm)) +
      Tlv(Context(5), Tlv(kGeneralizedTime, "20370913024805Z")) +
      Tlv(Context(7), Integer(nonce & 0x7FFF'FFFF)) + Tlv(Context(8), Tlv(kSequence, types));
  return Tlv(kAsReq, Tlv(kSequence, Tlv(Context(1), Integer(kProtocol)) +
                                        Tlv(Context(2), Integer(kMessageType)) +
                                        Tlv(Context(4), Tlv(kSequence, body))));
}

bool ServesRealm(int error) {
  switch (error) {
    case 0:   // a ticket, without pre-authentication
    case 6:   // no such account
    case 12:  // not at this time, or not from here
    case 14:  // none of its keys is of these kinds
    case 18:  // locked, disabled or expired
    case 23:  // its password has expired
    case 25:  // pre-authentication, please
      return true;
    default:  // no such realm, a database that cannot be read …
      return false;
  }
}

std::optional<KerberosReply> ParseKerberosReply(std::string_view message) {
  const auto outer = Take(message);
  if (!outer) return std::nullopt;
  if (outer->tag == kAsRep) return KerberosReply{};
  if (outer->tag != kKrbError) return std::nullopt;
  std::string_view inner = outer->content;
  const auto sequence = Take(inner);
  if (!sequence || sequence->tag != kSequence) return std::nullopt;
  KerberosReply reply;
  bool has_error = false;
  std::string_view fields = sequence->content;
  while (!fields.empty()) {
    const auto field = Take(fields);
    if (!field) return std::nullopt;
    std::string_view content = field->content;
    const auto value = Take(content);
    if (!value) continue;
    if (field->tag == Context(4) && value->tag == kGeneralizedTime) {
      const auto seconds = ParseGeneralizedTime(value->content);
      // The microseconds may stand behind; they are added there.
      if (seconds) reply.time = *seconds;
    } else if ((field->tag == Context(5) || field->tag == Context(6)) && value->tag == kInteger) {
      int64_t number = 0;
      if (value->content.empty() || value->content.size() > 4) return std::nullopt;
      for (const char byte : value->content) number = number << 8 | static_cast<uint8_t>(byte);
      if (field->tag == Context(6)) {
        reply.error = static_cast<int>(number & 0x7FFF'FFFF);
        has_error = true;
      } else if (reply.time && number < 1'000'000) {
        *reply.time += Millis(number / 1000);
      }
    }
  }
  if (!has_error) return std::nullopt;
  return reply;
}

}  // namespace oppetid::agent
