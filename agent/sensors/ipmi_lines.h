// What `ipmitool -c sdr` prints of a BMC's sensors. Pure; any text is safe.
#pragma once

#include <string_view>
#include <vector>

#include "agent/sensors/hardware_reading.h"

namespace oppetid::agent {

// At most kMaxReadings. Sensors without a reading (empty slots, a machine that is off) are left
// out.
std::vector<HardwareReading> ParseIpmiLines(std::string_view text);

}  // namespace oppetid::agent
