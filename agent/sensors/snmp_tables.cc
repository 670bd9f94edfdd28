#include "agent/sensors/snmp_tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "common/text.h"

namespace oppetid::agent {
namespace {

// entPhySensorType, as far as it concerns us.
enum SensorType : int64_t { kAmperes = 5, kWatts = 6, kCelsius = 8, kHumidity = 9, kTruth = 12 };
constexpr int64_t kOk = 1;  // entPhySensorOperStatus
constexpr int64_t kTrue = 1;
constexpr int64_t kFalse = 2;
constexpr int64_t kUnits = 9;  // entPhySensorScale: each step is a factor of a thousand

const Oid kUps = {1, 3, 6, 1, 2, 1, 33, 1};
const Oid kUpsAlarms = {1, 3, 6, 1, 2, 1, 33, 1, 6, 3};

const std::array<Oid, 5>& Columns() {
  static const std::array<Oid, 5> kColumns = {
      Oid{1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 1}, Oid{1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 2},
      Oid{1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 3}, Oid{1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 4},
      Oid{1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 5}};
  return kColumns;
}

bool Concerns(std::optional<int64_t> type) {
  constexpr std::array<int64_t, 5> kTypes = {kAmperes, kWatts, kCelsius, kHumidity, kTruth};
  return type && std::find(kTypes.begin(), kTypes.end(), *type) != kTypes.end();
}

std::optional<double> Scaled(const SensorRow& row) {
  if (!row.value || row.status.value_or(kOk) != kOk) return std::nullopt;
  const int64_t scale = row.scale.value_or(kUnits);
  const int64_t precision = row.precision.value_or(0);
  // The ranges of the MIB.
  if (scale < 1 || scale > 17 || precision < -8 || precision > 9) return std::nullopt;
  return static_cast<double>(*row.value) * std::pow(10.0, 3 * (scale - kUnits)) /
         std::pow(10.0, precision);
}

// The value of a scalar or of a table's cell, by its number within UPS-MIB.
const SnmpValue* Find(std::span<const SnmpValue> values, const Oid& within) {
  for (const SnmpValue& value : values) {
    if (value.oid.size() == kUps.size() + within.size() && IsUnder(value.oid, kUps) &&
        std::equal(within.begin(), within.end(), value.oid.begin() + kUps.size())) {
      return &value;
    }
  }
  return nullptr;
}

std::optional<double> Scalar(std::span<const SnmpValue> values, const Oid& within) {
  const SnmpValue* value = Find(values, within);
  if (value == nullptr || value->type != SnmpType::kNumber) return std::nullopt;
  return value->number;
}

void TakeAlarms(std::span<const SnmpValue> values, UpsReading& ups) {
  bool other = false;
  for (const SnmpValue& value : values) {
    if (value.type != SnmpType::kOid || !IsUnder(value.value_oid, kUpsAlarms)) continue;
    switch (value.value_oid[kUpsAlarms.size()]) {
      case 1:  // upsAlarmBatteryBad
        ups.replace_battery = true;
        break;
      case 2:  // upsAlarmOnBattery
        break;
      case 3:  // upsAlarmLowBattery
      case 4:  // upsAlarmDepletedBattery
        ups.low_battery = true;
        break;
      case 8:  // upsAlarmOutputOverload
        ups.overload = true;
        break;
      case 9:  // upsAlarmOnBypass
        ups.bypass = true;
        break;
      default:
        other = true;
    }
  }
  // A number of alarms without the table that names them; running on battery is one of them.
  const bool any = Scalar(values, {6, 1, 0}).value_or(0) > 0;
  const bool named = ups.replace_battery || ups.low_battery || ups.overload || ups.bypass;
  ups.alarm = other || (any && !named && !ups.on_battery);
}

}  // namespace

std::span<const Oid> SensorColumns() { return Columns(); }

std::vector<Oid> NamesOf(uint32_t row) {
  return {{1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 2, row}, {1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 7, row}};
}

std::vector<SensorRow> SensorRows(std::span<const SnmpValue> values) {
  std::map<uint32_t, SensorRow> rows;
  for (const SnmpValue& value : values) {
    if (value.type != SnmpType::kNumber || !(std::abs(value.number) < 1e15)) continue;
    for (size_t column = 0; column < Columns().size(); ++column) {
      const Oid& root = Columns()[column];
      if (value.oid.size() != root.size() + 1 || !IsUnder(value.oid, root)) continue;
      SensorRow& row = rows[value.oid.back()];
      row.row = value.oid.back();
      const std::array<std::optional<int64_t>*, 5> cells = {&row.type, &row.scale, &row.precision,
                                                            &row.value, &row.status};
      *cells[column] = std::llround(value.number);
    }
  }
  std::vector<SensorRow> found;
  for (const auto& [number, row] : rows) {
    if (Concerns(row.type)) found.push_back(row);
  }
  return found;
}

std::optional<Reading> ReadingOf(const SensorRow& row, std::string_view name) {
  Reading reading;
  reading.name = name.empty() ? "sensor " + std::to_string(row.row) : std::string(name);
  reading.value = Scaled(row);
  switch (row.type.value_or(0)) {
    case kCelsius:
      reading.kind = ReadingKind::kTemperature;
      return reading;
    case kHumidity:
      reading.kind = ReadingKind::kHumidity;
      if (reading.value) *reading.value /= 100;
      return reading;
    case kAmperes:
      reading.kind = ReadingKind::kCurrent;
      return reading;
    case kWatts:
      reading.kind = ReadingKind::kPower;
      return reading;
    case kTruth: {
      const auto kind = KindOfContact(reading.name);
      if (!kind) return std::nullopt;
      reading.kind = *kind;
      if (!reading.value) return reading;
      reading.value.reset();
      if (row.value == kTrue) reading.value = 1;
      if (row.value == kFalse) reading.value = 0;
      return reading;
    }
    default:
      return std::nullopt;
  }
}

std::string NameOf(const SnmpValue& value) {
  if (value.type != SnmpType::kText) return "";
  std::string name = OneLine(value.text, kMaxReadingName);
  while (!name.empty() && name.back() == ' ') name.pop_back();
  name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
  return name;
}

const Oid& UpsRoot() { return kUps; }

std::optional<UpsReading> UpsOf(std::span<const SnmpValue> values) {
  const auto source = Scalar(values, {4, 1, 0});
  if (!source) return std::nullopt;
  UpsReading ups;
  switch (std::llround(std::clamp(*source, 0.0, 100.0))) {
    case 2:  // none
      ups.off = true;
      break;
    case 3:  // normal
    case 6:  // booster
    case 7:  // reducer
      break;
    case 4:
      ups.bypass = true;
      break;
    case 5:
      ups.on_battery = true;
      break;
    default:
      return std::nullopt;  // "other"
  }
  const double battery = Scalar(values, {2, 1, 0}).value_or(0);
  ups.low_battery = battery == 3 || battery == 4;  // low, depleted
  if (ups.on_battery) ups.on_battery_seconds = Scalar(values, {2, 2, 0});
  // What a card gives that does not know is -1, and 0 for a thermometer that is not there.
  ups.runtime_seconds = Scalar(values, {2, 3, 0});
  if (ups.runtime_seconds) *ups.runtime_seconds *= 60;
  if (ups.runtime_seconds < 0) ups.runtime_seconds.reset();
  ups.charge_percent = Scalar(values, {2, 4, 0});
  if (ups.charge_percent < 0) ups.charge_percent.reset();
  ups.temperature_celsius = Scalar(values, {2, 7, 0});
  if (ups.temperature_celsius == 0) ups.temperature_celsius.reset();
  ups.input_volts = Scalar(values, {3, 3, 1, 3, 1});
  for (uint32_t line = 1; line <= 3; ++line) {  // the fullest of the phases
    const auto load = Scalar(values, {4, 4, 1, 5, line});
    if (load && *load >= ups.load_percent.value_or(0)) ups.load_percent = load;
  }
  TakeAlarms(values, ups);
  return ups;
}

std::optional<double> NumberOf(const SnmpValue& value) {
  if (value.type == SnmpType::kNumber) return value.number;
  if (value.type != SnmpType::kText) return std::nullopt;
  double number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace oppetid::agent
