// The sensor behind `ping` and `link`: one burst of echo requests, judged by its limits.
//
// Critical when all are lost or a limit is reached, a warning at the lower limit; unknown when the
// name does not resolve, or when the system gives us no socket for ICMP (echo.h).
// Threading: the agent's thread.
#pragma once

#include <memory>

#include "agent/sensors/echo.h"
#include "agent/sensors/sensor.h"

namespace oppetid::agent {

// What is measured, and how its series are called.
struct EchoCheck {
  EchoBurst burst;
  EchoLimits warning;
  EchoLimits critical;
  Labels labels;
  const char* loss_family = nullptr;
  const char* rtt_family = nullptr;
  const char* jitter_family = nullptr;  // nullptr: jitter is not told
};

std::unique_ptr<Sensor> MakeEchoSensor(EchoCheck check, World& world, OpenSocket open_socket);

}  // namespace oppetid::agent
