// The pages behind admin.sock for the account: catalogues, decisions, exports.
//
// Threading: the hub's thread; exports are read on the HTTP pool. Lifetime: everything given
// outlives the Api's last answer.
#pragma once

#include "collector/account/agreements.h"
#include "collector/acts.h"
#include "collector/api.h"

namespace oppetid::collector {

// GET  /api/v1/catalogue[?at=T|?period=P[&as_known_at=T]]: the YAML of a version
// GET  /api/v1/catalogue/history: its versions
// POST /api/v1/catalogue[?file=NAME&reason=…&dry_run=1]: the body, YAML, comes into force
// GET  /api/v1/decisions, POST /api/v1/decisions: DecisionsAsJson and Decide
// GET  /api/v1/export/history?from=T&to=T: history.jsonl; POST: with the body as the catalogue
// GET  /api/v1/export/tickets?to=T: tickets.jsonl
void AddAccountPages(Api& api, Acts& acts, const Agreements& agreements, Hub& hub,
                     const Ledger& ledger, const Clock& clock);

}  // namespace oppetid::collector
