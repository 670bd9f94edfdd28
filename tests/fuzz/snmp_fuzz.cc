// Fuzzes the datagrams of SNMP agents, up to what a server room's tables make of them. Breaks when
// a promise of snmp_message.h or snmp_tables.h does not hold.
#include <cmath>
#include <cstdint>

#include "agent/sensors/snmp_message.h"
#include "agent/sensors/snmp_tables.h"
#include "common/check.h"
#include "common/text.h"

namespace {

using namespace oppetid::agent;  // NOLINT: one file, one purpose

void Judge(const std::optional<SnmpPdu>& pdu) {
  if (!pdu) return;
  OPPETID_CHECK(pdu->type == PduType::kResponse || pdu->type == PduType::kReport,
                "only answers are decoded");
  OPPETID_CHECK(pdu->values.size() <= kMaxSnmpValues, "values are bounded");
  for (const SnmpValue& value : pdu->values) {
    OPPETID_CHECK(!value.oid.empty() && value.oid.size() <= 129, "oids are bounded");
    const std::string name = NameOf(value);
    OPPETID_CHECK(name == oppetid::OneLine(name, kMaxReadingName), "names are one safe line");
    const auto number = NumberOf(value);
    OPPETID_CHECK(!number || std::isfinite(*number), "numbers are finite");
  }
  const auto rows = SensorRows(pdu->values);
  OPPETID_CHECK(rows.size() <= kMaxReadings, "rows are bounded");
  for (const SensorRow& row : rows) {
    const auto reading = ReadingOf(row, "Door");
    OPPETID_CHECK(reading, "rows that concern us are read");
    OPPETID_CHECK(!reading->value || std::isfinite(*reading->value), "readings are finite");
  }
  UpsOf(pdu->values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Judge(DecodeV2c(input));
  Judge(DecodeScopedPdu(input));
  if (const auto envelope = DecodeV3(input)) {
    OPPETID_CHECK(envelope->mac_at + envelope->mac.size() <= size, "the MAC is in the message");
    OPPETID_CHECK(input.substr(envelope->mac_at, envelope->mac.size()) == envelope->mac,
                  "the MAC stands where it is said to");
    Judge(DecodeScopedPdu(envelope->body));
    const auto again = DecodeV3(EncodeV3(*envelope));
    OPPETID_CHECK(again && again->body == envelope->body && again->user == envelope->user,
                  "an envelope goes there and back");
  }
  if (const auto oid = ParseOid(input)) {
    const std::string bytes = ber::ObjectId(*oid);
    ber::Reader reader(bytes);
    OPPETID_CHECK(ber::OidOf(*reader.Take(ber::kOid)) == oid, "an oid goes there and back");
  }
  return 0;
}
