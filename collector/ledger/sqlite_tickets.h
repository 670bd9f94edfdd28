// The tables of tickets: their writing, for the ledger, and their reading, for its readers.
//
// Threading: as the database's, which must outlive the TicketTables.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collector/ledger/ledger.h"
#include "collector/ledger/sqlite_db.h"

namespace oppetid::collector {

// Writes within the transaction that the ledger has begun.
class TicketTables {
 public:
  absl::Status Prepare(Database& db);
  absl::Status Put(const TicketWrite& ticket, Instant now);
  absl::Status PutCursor(const SourceCursor& cursor);

 private:
  absl::Status Reopen(const TicketWrite& ticket, Instant now);
  absl::Status PutEvent(const std::string& id, const TicketEventWrite& write, Instant now);

  absl::Status Restate(const TicketWrite& ticket, TicketEventWrite& first, Instant now);

  Statement find_, find_told_, add_, put_snapshot_, add_event_, reopen_, add_answer_, put_cursor_;
};

// Several statements each, so within a transaction of the reader.
absl::Status ReadTickets(Database& db, Instant before,
                         const std::function<void(const Ticket&)>& visit);
absl::Status ReadTicket(Database& db, const std::string& id, std::optional<Ticket>* found);
absl::StatusOr<std::vector<SourceCursor>> ReadSourceCursors(Database& db);

}  // namespace oppetid::collector
