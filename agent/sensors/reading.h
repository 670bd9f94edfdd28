// One reading of a server room's sensor, as the parsers of SNMP, IPMI, hwmon and UPS answers give
// it. Plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace oppetid::agent {

// Of one device; the largest rack controllers have some dozens, a switch full of optics 200.
inline constexpr size_t kMaxReadings = 256;
inline constexpr size_t kMaxReadingName = 64;

enum class ReadingKind { kTemperature, kHumidity, kLeak, kSmoke, kDoor, kCurrent, kPower };

struct Reading {
  ReadingKind kind = ReadingKind::kTemperature;
  std::string name;  // one safe line
  // Celsius, a share of 1, amperes, watts; 1 for water, smoke and an open door. Absent when the
  // device says that it cannot tell.
  std::optional<double> value;
};

// What a contact with this name tells ("Water leak", "Dør bakside"); nullopt when nobody knows.
std::optional<ReadingKind> KindOfContact(std::string_view name);

}  // namespace oppetid::agent
