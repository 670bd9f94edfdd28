// The `host` sensor's factory with its seams to the kernel, for tests. See host.cc.
#pragma once

#include <sys/timex.h>

#include <functional>
#include <memory>

#include "agent/sensors/host_filesystems.h"
#include "agent/sensors/host_updates.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

// What the sensor asks the machine for besides files.
struct HostCalls {
  StatvfsFunction statvfs;
  std::function<int(timex*)> adjtimex;  // adjtimex(2)
  SimulateUpgrade simulate_upgrade;
};

std::unique_ptr<Sensor> MakeHostSensor(YamlMap& config, World& world, HostCalls calls);

}  // namespace oppetid::agent
