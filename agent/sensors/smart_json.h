// What `smartctl --json` says of disks. Pure; any text is safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

inline constexpr size_t kMaxDisks = 64;  // two full shelves

struct SmartDevice {
  std::string path;  // /dev/sda
  std::string type;  // for smartctl -d; several disks behind one path differ in it; empty: it looks
};
// The answer to --scan; devices with odd paths or types are left out.
std::vector<SmartDevice> ParseSmartScan(std::string_view json);

struct SmartReport {
  std::string error;                    // why nothing could be read; one safe line
  bool asleep = false;                  // the disk stands still and was not woken
  std::optional<bool> healthy;          // its own verdict
  std::vector<std::string> complaints;  // other things that the disk itself calls wrong
  std::optional<double> temperature_celsius;
  std::optional<int64_t> reallocated;    // sectors
  std::optional<int64_t> pending;        // sectors
  std::optional<int64_t> uncorrectable;  // errors
  std::optional<int64_t> power_on_hours;
  std::optional<int64_t> wear_percent;  // of the rated life; may exceed 100
};
SmartReport ParseSmartReport(std::string_view json);

}  // namespace oppetid::agent
