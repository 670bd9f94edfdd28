// The users of this machine who may report something: the key `users` of passive checks.
//
// Threading: while the configuration is read; looking up names may block.
#pragma once

#include <sys/types.h>

#include <set>

#include "common/yaml.h"

namespace oppetid::agent {

// Names or numbers; root alone unless the key is given. A name that nobody has is a fault.
std::set<uid_t> ReadReportUsers(YamlMap& config);

}  // namespace oppetid::agent
