// One look at a whole domain: every controller at once, each in a thread of its own, and then what
// the domain has once.
//
// Threading: blocks its caller until all is seen or the budget is spent; the threads end with it.
#pragma once

#include <functional>
#include <string>

#include "agent/ad/memory.h"
#include "agent/ad/view.h"
#include "agent/sensors/ad_options.h"
#include "common/clock.h"

namespace oppetid::agent {

// `save` puts the memory on the disk and returns the trouble.
AdView LookAtDomain(const AdOptions& options, const Clock& clock, AdMemory& memory,
                    std::function<std::string(const AdMemory&)> save);

// The service records a domain must have, without the domain's name.
inline constexpr std::string_view kAdRecords[] = {
    "_ldap._tcp.dc._msdcs",
    "_kerberos._tcp.dc._msdcs",
    "_ldap._tcp",
    "_kerberos._tcp",
    "_kpasswd._tcp",
    "_gc._tcp",
    "_ldap._tcp.pdc._msdcs",
};
inline constexpr std::string_view kAdCatalogRecord = "_gc._tcp";
inline constexpr std::string_view kAdPdcRecord = "_ldap._tcp.pdc._msdcs";

}  // namespace oppetid::agent
