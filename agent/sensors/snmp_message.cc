#include "agent/sensors/snmp_message.h"

namespace oppetid::agent {
namespace {

constexpr int64_t kVersion2c = 1;
constexpr int64_t kVersion3 = 3;
constexpr int64_t kUserBasedSecurity = 3;
// Longest answer we take; one that needs IP fragments is often lost on the way.
constexpr int64_t kMaxMessageBytes = 1472;

constexpr uint8_t kCounter32 = 0x41;
constexpr uint8_t kGauge32 = 0x42;
constexpr uint8_t kTimeTicks = 0x43;
constexpr uint8_t kCounter64 = 0x46;
constexpr uint8_t kNoSuchObject = 0x80;
constexpr uint8_t kEndOfMib = 0x82;

bool TakeValue(const ber::Tagged& item, SnmpValue& value) {
  switch (item.tag) {
    case ber::kInteger: {
      const auto number = ber::SignedOf(item.content);
      if (!number) return false;
      value.type = SnmpType::kNumber;
      value.number = static_cast<double>(*number);
      return true;
    }
    case kCounter32:
    case kGauge32:
    case kTimeTicks:
    case kCounter64: {
      const auto number = ber::UnsignedOf(item.content);
      if (!number) return false;
      value.type = SnmpType::kNumber;
      value.number = static_cast<double>(*number);
      return true;
    }
    case ber::kOctets:
      value.type = SnmpType::kText;
      value.text = item.content;
      return true;
    case ber::kOid: {
      auto oid = ber::OidOf(item.content);
      if (!oid) return false;
      value.type = SnmpType::kOid;
      value.value_oid = std::move(*oid);
      return true;
    }
    default:
      if (item.tag >= kNoSuchObject && item.tag <= kEndOfMib) value.type = SnmpType::kAbsent;
      return true;
  }
}

bool TakeValues(std::string_view list, std::vector<SnmpValue>& values) {
  ber::Reader bindings(list);
  while (!bindings.at_end()) {
    const auto binding = bindings.Take(ber::kSequence);
    if (!binding || values.size() >= kMaxSnmpValues) return false;
    ber::Reader pair(*binding);
    const auto name = pair.Take(ber::kOid);
    const auto content = pair.Next();
    if (!name || !content) return false;
    SnmpValue value;
    auto oid = ber::OidOf(*name);
    if (!oid || !TakeValue(*content, value)) return false;
    value.oid = std::move(*oid);
    values.push_back(std::move(value));
  }
  return true;
}

std::optional<SnmpPdu> DecodePdu(const ber::Tagged& item) {
  const auto type = static_cast<PduType>(item.tag);
  if (type != PduType::kResponse && type != PduType::kReport) return std::nullopt;
  SnmpPdu pdu;
  pdu.type = type;
  ber::Reader reader(item.content);
  const auto id = reader.TakeInteger();
  const auto status = reader.TakeInteger();
  const auto index = reader.TakeInteger();
  const auto list = reader.Take(ber::kSequence);
  if (!id || !status || !index || !list || *id != static_cast<int32_t>(*id)) return std::nullopt;
  pdu.request_id = static_cast<int32_t>(*id);
  pdu.error_status = *status;
  pdu.error_index = *index;
  if (!TakeValues(*list, pdu.values)) return std::nullopt;
  return pdu;
}

bool TakeSecurity(std::string_view parameters, SnmpV3& envelope, std::string_view& mac) {
  ber::Reader outer(parameters);
  const auto sequence = outer.Take(ber::kSequence);
  if (!sequence) return false;
  ber::Reader reader(*sequence);
  const auto engine = reader.Take(ber::kOctets);
  const auto boots = reader.TakeInteger();
  const auto time = reader.TakeInteger();
  const auto user = reader.Take(ber::kOctets);
  const auto code = reader.Take(ber::kOctets);
  const auto salt = reader.Take(ber::kOctets);
  if (!engine || !boots || !time || !user || !code || !salt) return false;
  if (*boots < 0 || *boots > INT32_MAX || *time < 0 || *time > INT32_MAX) return false;
  envelope.engine = *engine;
  envelope.boots = *boots;
  envelope.time = *time;
  envelope.user = *user;
  envelope.mac = *code;
  envelope.salt = *salt;
  mac = *code;
  return true;
}

}  // namespace

std::string EncodePdu(const SnmpPdu& pdu) {
  std::string list;
  for (const SnmpValue& value : pdu.values) {
    list += ber::Item(ber::kSequence, ber::ObjectId(value.oid) + ber::Item(ber::kNull, ""));
  }
  return ber::Item(static_cast<uint8_t>(pdu.type),
                   ber::Integer(pdu.request_id) + ber::Integer(pdu.error_status) +
                       ber::Integer(pdu.error_index) + ber::Item(ber::kSequence, list));
}

std::string EncodeV2c(std::string_view community, std::string_view pdu) {
  return ber::Item(ber::kSequence, ber::Integer(kVersion2c) + ber::Item(ber::kOctets, community) +
                                       std::string(pdu));
}

std::string EncodeScopedPdu(std::string_view engine, std::string_view pdu) {
  return ber::Item(ber::kSequence, ber::Item(ber::kOctets, engine) + ber::Item(ber::kOctets, "") +
                                       std::string(pdu));
}

std::optional<SnmpPdu> DecodeV2c(std::string_view message) {
  ber::Reader outer(message);
  const auto sequence = outer.Take(ber::kSequence);
  if (!sequence) return std::nullopt;
  ber::Reader reader(*sequence);
  const auto version = reader.TakeInteger();
  const auto community = reader.Take(ber::kOctets);
  const auto pdu = reader.Next();
  if (version != kVersion2c || !community || !pdu) return std::nullopt;
  return DecodePdu(*pdu);
}

std::optional<SnmpPdu> DecodeScopedPdu(std::string_view scoped) {
  ber::Reader outer(scoped);
  const auto sequence = outer.Take(ber::kSequence);  // what follows is a cipher's padding
  if (!sequence) return std::nullopt;
  ber::Reader reader(*sequence);
  const auto engine = reader.Take(ber::kOctets);
  const auto context = reader.Take(ber::kOctets);
  const auto pdu = reader.Next();
  if (!engine || !context || !pdu) return std::nullopt;
  return DecodePdu(*pdu);
}

std::string EncodeV3(const SnmpV3& envelope) {
  const std::string flags(1, static_cast<char>(envelope.flags));
  const std::string header = ber::Integer(envelope.id) + ber::Integer(kMaxMessageBytes) +
                             ber::Item(ber::kOctets, flags) + ber::Integer(kUserBasedSecurity);
  const std::string security =
      ber::Item(ber::kOctets, envelope.engine) + ber::Integer(envelope.boots) +
      ber::Integer(envelope.time) + ber::Item(ber::kOctets, envelope.user) +
      ber::Item(ber::kOctets, envelope.mac) + ber::Item(ber::kOctets, envelope.salt);
  const bool encrypted = (envelope.flags & SnmpV3::kEncrypted) != 0;
  return ber::Item(ber::kSequence,
                   ber::Integer(kVersion3) + ber::Item(ber::kSequence, header) +
                       ber::Item(ber::kOctets, ber::Item(ber::kSequence, security)) +
                       (encrypted ? ber::Item(ber::kOctets, envelope.body) : envelope.body));
}

std::optional<SnmpV3> DecodeV3(std::string_view message) {
  ber::Reader outer(message);
  const auto sequence = outer.Take(ber::kSequence);
  if (!sequence) return std::nullopt;
  ber::Reader reader(*sequence);
  const auto version = reader.TakeInteger();
  const auto header = reader.Take(ber::kSequence);
  const auto security = reader.Take(ber::kOctets);
  if (version != kVersion3 || !header || !security) return std::nullopt;
  ber::Reader fields(*header);
  const auto id = fields.TakeInteger();
  const auto size = fields.TakeInteger();
  const auto flags = fields.Take(ber::kOctets);
  const auto model = fields.TakeInteger();
  if (!id || !size || !flags || flags->size() != 1 || model != kUserBasedSecurity ||
      *id != static_cast<int32_t>(*id)) {
    return std::nullopt;
  }
  SnmpV3 envelope;
  envelope.id = static_cast<int32_t>(*id);
  envelope.flags = static_cast<uint8_t>(flags->front());
  std::string_view mac;
  if (!TakeSecurity(*security, envelope, mac)) return std::nullopt;
  envelope.mac_at = static_cast<size_t>(mac.data() - message.data());
  const auto body = reader.Next();
  if (!body) return std::nullopt;
  const bool encrypted = (envelope.flags & SnmpV3::kEncrypted) != 0;
  if (body->tag != (encrypted ? ber::kOctets : ber::kSequence)) return std::nullopt;
  envelope.body = encrypted ? std::string(body->content) : ber::Item(body->tag, body->content);
  return envelope;
}

}  // namespace oppetid::agent
