#include "agent/sensors/ad_smb.h"

#include <cstdint>

namespace oppetid::agent {
namespace {

constexpr size_t kHeaderBytes = 64;
constexpr std::string_view kProtocol = "\xfeSMB";

void Put(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

uint32_t Get(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

}  // namespace

std::string BuildSmbNegotiate() {
  constexpr uint16_t kDialects[] = {0x0202, 0x0210, 0x0300, 0x0302};
  std::string message(kProtocol);
  Put(message, kHeaderBytes, 2);
  message.append(10, '\0');  // credit charge, status, command NEGOTIATE, no credits
  message.append(kHeaderBytes - message.size(), '\0');
  Put(message, 36, 2);  // the size of this structure, fixed
  Put(message, std::size(kDialects), 2);
  Put(message, 1, 2);  // signing enabled
  message.append(2 + 4, '\0');
  message += "oppetid-agent-id";  // a client GUID: any 16 bytes
  message.append(8, '\0');
  for (const uint16_t dialect : kDialects) Put(message, dialect, 2);
  std::string framed;
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed += static_cast<char>(message.size() >> shift & 0xFF);
  }
  return framed + message;
}

size_t SmbReplyBytes(std::string_view prefix) {
  if (prefix.size() < 4 || prefix[0] != '\0') return 0;
  const size_t size = static_cast<size_t>(static_cast<uint8_t>(prefix[1])) << 16 |
                      static_cast<size_t>(static_cast<uint8_t>(prefix[2])) << 8 |
                      static_cast<uint8_t>(prefix[3]);
  return size <= kMaxSmbReplyBytes ? size : 0;
}

std::string JudgeSmbReply(std::string_view reply) {
  constexpr size_t kDialectAt = kHeaderBytes + 4;
  if (reply.size() < kDialectAt + 2 || !reply.starts_with(kProtocol)) return "no SMB 2 answer";
  const uint32_t status = Get(reply, 8, 4);
  if (Get(reply, 12, 2) != 0) return "an answer to another question";
  if (status != 0) return "refused with status " + std::to_string(status);
  const uint32_t dialect = Get(reply, kDialectAt, 2);
  return dialect >= 0x0202 && dialect <= 0x0311 ? "" : "no dialect in common";
}

}  // namespace oppetid::agent
