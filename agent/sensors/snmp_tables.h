// What the standard tables of SNMP say of a server room: ENTITY-SENSOR-MIB (RFC 3433) for probes
// and power strips, UPS-MIB (RFC 1628) for UPSes. Pure; any values are safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/sensors/reading.h"
#include "agent/sensors/snmp_message.h"
#include "agent/sensors/ups_reading.h"

namespace oppetid::agent {

// The columns of entPhySensorTable to walk: type, scale, precision, value, status.
std::span<const Oid> SensorColumns();
// The names of a row, best first: entPhysicalDescr and entPhysicalName.
std::vector<Oid> NamesOf(uint32_t row);

struct SensorRow {
  uint32_t row = 0;
  std::optional<int64_t> type, scale, precision, value, status;
};
// The rows of a kind that concerns a server room, from the columns' values.
std::vector<SensorRow> SensorRows(std::span<const SnmpValue> values);
// nullopt for a contact whose name does not tell what it is.
std::optional<Reading> ReadingOf(const SensorRow& row, std::string_view name);

// A value's text as a name: safe, trimmed, at most kMaxReadingName bytes; empty when there is none.
std::string NameOf(const SnmpValue& value);

// The subtree of UPS-MIB to walk.
const Oid& UpsRoot();
// nullopt when this is no UPS, or it does not say what it runs on.
std::optional<UpsReading> UpsOf(std::span<const SnmpValue> values);

// The number in a value: an integer, or a text like "22.5"; nullopt otherwise.
std::optional<double> NumberOf(const SnmpValue& value);

}  // namespace oppetid::agent
