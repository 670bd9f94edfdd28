// SNMP's messages: versions 2c (RFC 3416) and 3 (RFC 3412, 3414), as a manager writes and reads
// them. Pure; any bytes are safe to decode. Keys and ciphers are snmp_usm.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sensors/ber.h"

namespace oppetid::agent {

enum class SnmpType {
  kNumber,  // INTEGER, Counter, Gauge, TimeTicks
  kText,    // OCTET STRING: any bytes
  kOid,
  kAbsent,  // no such object or instance, or the end of what there is
  kOther
};

struct SnmpValue {
  Oid oid;
  SnmpType type = SnmpType::kOther;
  double number = 0;
  std::string text;
  Oid value_oid;
};

// Far more than fits in a datagram.
inline constexpr size_t kMaxSnmpValues = 4096;

enum class PduType : uint8_t { kGet = 0xA0, kResponse = 0xA2, kGetBulk = 0xA5, kReport = 0xA8 };

struct SnmpPdu {
  PduType type = PduType::kGet;
  int32_t request_id = 0;
  int64_t error_status = 0;  // GetBulk: non-repeaters
  int64_t error_index = 0;   // GetBulk: max-repetitions
  std::vector<SnmpValue> values;
};

// A request: its values' oids, without values.
std::string EncodePdu(const SnmpPdu& pdu);
std::string EncodeV2c(std::string_view community, std::string_view pdu);
std::string EncodeScopedPdu(std::string_view engine, std::string_view pdu);

// nullopt for what is none of ours: other versions, other kinds, malformed.
std::optional<SnmpPdu> DecodeV2c(std::string_view message);
std::optional<SnmpPdu> DecodeScopedPdu(std::string_view scoped);

// The envelope of version 3 under the User-based Security Model.
struct SnmpV3 {
  static constexpr uint8_t kAuthenticated = 1;
  static constexpr uint8_t kEncrypted = 2;
  static constexpr uint8_t kReportable = 4;

  int32_t id = 0;
  uint8_t flags = 0;
  std::string engine;
  int64_t boots = 0;
  int64_t time = 0;
  std::string user;
  std::string mac;
  std::string salt;
  // The scoped PDU with its tag, or the encrypted bytes of one.
  std::string body;
  // Where the MAC stands in the message; filled by DecodeV3.
  size_t mac_at = 0;
};
std::string EncodeV3(const SnmpV3& envelope);
std::optional<SnmpV3> DecodeV3(std::string_view message);

}  // namespace oppetid::agent
