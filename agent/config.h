// agent.yaml: what this agent watches and whom it tells. Read strictly, all faults at once.
//
// Nothing from the network changes any of it: an agent runs, reads and connects to only what its
// own file names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core.h"
#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

struct AgentConfig {
  std::vector<std::string> collectors;  // host:port, one ledger, tried in turn
  std::string state;                    // directory; spool/ is in it
  std::string report_socket;            // <state>/report.sock unless given
  Millis interval{};
  SpoolOptions spool;
  std::string ca, certificate, key;  // PEM files; <state>/{ca,agent}.pem and <state>/agent.key
  std::vector<CheckSpec> checks;
  std::vector<std::unique_ptr<Sensor>> sensors;  // one per check; they refer to `world`
  std::vector<bool> takes_turns;                 // one per check; see Runner
};

// Reads and validates. Faults go to `faults`; the result means nothing when there are any.
// `world` must outlive the result.
AgentConfig ReadAgentConfig(std::string_view text, Faults& faults, World& world);

}  // namespace oppetid::agent
