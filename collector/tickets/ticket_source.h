// Where tickets come from: one interface, and what a source tells in its own words.
//
// A source reads what has changed; the mapping turns its words into ours; the ledger keeps the
// result. A source never passes on a subject, a text or a person: there is no field for them.
// Threading: Read belongs to the executor of the coroutine that awaits it; what blocks goes to a
// pool. Lifetime: a source outlives what it has under way. Errors: a source that cannot be asked
// answers with a status; a single ticket that cannot be read is a reject and stops nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/tickets/raw_ticket.h"
#include "collector/tickets/sync.h"

namespace oppetid::collector {

// A ticket that the source no longer has: merged into another, or deleted.
struct GoneTicket {
  std::string id;
  Instant at;
};

// What could not be taken. Says where and why, never what stood there.
struct TicketReject {
  std::string place;  // a file's name; empty where there is none
  int line = 0;
  std::string reason;
};

struct TicketPage {
  std::vector<RawTicket> tickets;
  std::vector<GoneTicket> gone;
  std::vector<TicketReject> rejected;
  std::string place;  // the file that all these tickets stand in; empty where there is none
  // Where the next question begins. Everything before is in this page or those before it.
  Instant changed;
  std::string token;
  bool more = false;
};

class TicketSource {
 public:
  // The most tickets that one page may hold; bounds memory and the transaction that stores them.
  static constexpr size_t kPageTickets = 1'000;

  virtual ~TicketSource() = default;
  // Whether it can be asked for tickets by their ids.
  virtual bool KnowsIds() const { return true; }
  virtual boost::asio::awaitable<absl::StatusOr<TicketPage>> Read(TicketQuestion question) = 0;
};

}  // namespace oppetid::collector
