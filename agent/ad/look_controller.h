// One controller, seen from outside and, once logged on, from within.
//
// Threading: blocks its thread; the services are asked side by side, in threads that end with it.
#pragma once

#include <memory>
#include <optional>

#include "agent/ad/directory.h"
#include "agent/ad/logon.h"
#include "agent/ad/view.h"
#include "agent/sensors/ad_options.h"

namespace oppetid::agent {

struct SeenController {
  AdControllerView view;
  std::optional<AdAddress> address;      // unless its name does not resolve
  std::unique_ptr<Directory> directory;  // when logged on
};

// `gate` is nullptr without an account. What has not answered by `until` is left.
SeenController LookAtController(const AdOptions& options, const AdController& controller,
                                const Clock& clock, LogonGate* gate, AdDeadline until);

}  // namespace oppetid::agent
