// What the kernel's hwmon files of one chip say (Documentation/hwmon/sysfs-interface). Pure; any
// contents are safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/sensors/hardware_reading.h"

namespace oppetid::agent {

// `files` are the chip's files by their names (temp1_input, temp1_label …) with their contents; one
// that could not be read is missing or empty. At most kMaxReadings.
std::vector<HardwareReading> ReadingsOfChip(const std::string& chip,
                                            const std::map<std::string, std::string>& files);

}  // namespace oppetid::agent
