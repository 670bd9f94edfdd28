// People's side of identity over HTTP: invite, list, revoke, reinvite, retire, CA roll-over.
//
// Only through admin.sock. Threading: the hub's thread. Lifetime: all outlive the Api.
#pragma once

#include "collector/api.h"
#include "collector/enrolment.h"
#include "collector/rollover.h"

namespace oppetid::collector {

void AddIdentityRoutes(Api& api, Enrolment& enrolment, Rollover& rollover, const Hosts& hosts,
                       const Clock& clock);

}  // namespace oppetid::collector
