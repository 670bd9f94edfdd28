// Fuzzes what upsd, ipmitool, smartctl, hwmon files and clamd say; the first byte chooses which.
// Breaks when a promise of their parsers' headers does not hold.
#include <cmath>
#include <cstdint>

#include "agent/sensors/clamd_lines.h"
#include "agent/sensors/hwmon_files.h"
#include "agent/sensors/ipmi_lines.h"
#include "agent/sensors/nut_lines.h"
#include "agent/sensors/reading.h"
#include "agent/sensors/smart_json.h"
#include "common/check.h"
#include "common/text.h"

namespace {

using namespace oppetid::agent;  // NOLINT: one file, one purpose

void Nut(std::string_view text) {
  const NutAnswer answer = ParseNutAnswer(text);
  OPPETID_CHECK(answer.variables.size() <= kMaxNutVariables, "variables are bounded");
  OPPETID_CHECK(answer.error == oppetid::OneLine(answer.error), "errors are one safe line");
  OPPETID_CHECK(answer.error.empty() || answer.complete, "an error is an end");
  if (const auto ups = UpsOfNut(answer)) {
    OPPETID_CHECK(!ups->charge_percent || std::isfinite(*ups->charge_percent), "finite");
  }
  OPPETID_CHECK(AmbientOfNut(answer).size() <= 2, "a probe has two readings");
}

void Hardware(const std::vector<HardwareReading>& readings) {
  OPPETID_CHECK(readings.size() <= kMaxReadings, "readings are bounded");
  for (const HardwareReading& reading : readings) {
    OPPETID_CHECK(reading.name == oppetid::OneLine(reading.name, kMaxReadingName),
                  "names are one safe line");
    OPPETID_CHECK(!reading.value || std::isfinite(*reading.value), "values are finite");
  }
}

// Lines of "file content".
void Hwmon(std::string_view text) {
  std::map<std::string, std::string> files;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const size_t space = std::min(line.find(' '), line.size());
    files[std::string(line.substr(0, space))] = line.substr(std::min(space + 1, line.size()));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  Hardware(ReadingsOfChip("chip", files));
}

void Smart(std::string_view text) {
  const SmartReport report = ParseSmartReport(text);
  OPPETID_CHECK(report.error == oppetid::OneLine(report.error), "errors are one safe line");
  OPPETID_CHECK(report.complaints.size() <= 5, "complaints are bounded");
  const auto devices = ParseSmartScan(text);
  OPPETID_CHECK(devices.size() <= kMaxDisks, "disks are bounded");
  for (const SmartDevice& device : devices) {
    OPPETID_CHECK(device.path.starts_with("/dev/") && !device.type.starts_with('-'),
                  "devices are no options");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'n':
      Nut(text);
      break;
    case 'i':
      Hardware(ParseIpmiLines(text));
      break;
    case 'h':
      Hwmon(text);
      break;
    case 's':
      Smart(text);
      break;
    case 'c':
      if (const auto version = ParseClamdVersion(text)) {
        OPPETID_CHECK(version->program.starts_with("ClamAV "), "only clamd is taken for clamd");
      }
      break;
    default:
      KindOfContact(text);
  }
  return 0;
}
