// What `ipmitool -c sdr` prints of a BMC's sensors. Pure; any text is safe.
#pragma once

#include <string_view>
#include <vector>

#include "agent/sensors/hardware_reading.h"

namespace oppetid::agent {

// At most kMaxReadings. Sensors without a reading (empty slots, a machine that is off) are left
// out, and so are those that only have states, until one of these says that a part is broken.
std::vector<HardwareReading> ParseIpmiLines(std::string_view text);

}  // namespace oppetid::agent
