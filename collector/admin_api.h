// The pages behind admin.sock for tokens and for the audit chain.
//
// Threading: the hub's thread. Lifetime: everything given outlives the Api's last answer.
#pragma once

#include "collector/acts.h"
#include "collector/api.h"
#include "collector/ledger/ledger.h"
#include "collector/tokens.h"

namespace oppetid::collector {

// Who asks: the user at the socket, and on whose behalf, if the request says so.
Caller CallerOf(const HttpRequest& request);

// POST /api/v1/tokens?municipalities=a,b|all=1[&push=1][&purpose=…], GET /api/v1/tokens,
// POST /api/v1/tokens/revoke?id=….
void AddTokenPages(Api& api, Tokens& tokens);

// GET /api/v1/audit: every act as a line of JSON, hash included, in order.
void AddAuditPage(Api& api, const Ledger& ledger);

// One act as a line of JSON, newline included.
std::string ActJson(const Act& act);

}  // namespace oppetid::collector
