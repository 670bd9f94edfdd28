// Request Tracker's answers into tickets: its transactions are the events.
//
// Pure functions; nothing in an answer can throw or crash. Who asked and who answered is looked at
// here, to tell a reply to the customer from the customer's own, and goes no further.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "collector/tickets/mapping.h"

namespace oppetid::collector {

struct RtTicket {
  int64_t id = 0;
  std::string status, priority;
  std::string queue;  // its name
  Instant created;
  Instant updated;
  std::set<std::string> requestors;
  std::map<std::string, std::string> fields;       // custom fields, by name; the first value
  std::map<std::string, std::string> field_names;  // by id
};

struct RtTransaction {
  int64_t id = 0;
  int64_t ticket = 0;
  std::string type, field, before, after, creator;
  Instant at;
};

// A page of a search.
struct RtTickets {
  std::vector<RtTicket> tickets;
  int64_t pages = 0;
};
std::optional<RtTickets> ParseRtTickets(std::string_view body);

struct RtTransactions {
  std::vector<RtTransaction> transactions;
  // How many the page has before those are dropped that the reader may not see: only a page of 0
  // is the last.
  int64_t count = 0;
};
std::optional<RtTransactions> ParseRtTransactions(std::string_view body);

// Ids and names of a page of queues.
std::optional<std::map<std::string, std::string>> ParseRtQueues(std::string_view body);

// What GET ticket/ID tells: which ticket answers (another one after a merge), and its status.
struct RtState {
  int64_t id = 0;
  std::string status;
};
std::optional<RtState> ParseRtState(std::string_view body);

// `from` of a mapping: "Queue", "Priority", or a custom field's name. `transactions` are those of
// this ticket, sorted by id; `queues` names queues by id.
RawTicket RtHistory(const RtTicket& ticket, const std::vector<RtTransaction>& transactions,
                    const TicketMapping& mapping, const std::map<std::string, std::string>& queues);

}  // namespace oppetid::collector
