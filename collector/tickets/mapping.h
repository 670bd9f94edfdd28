// A source's words into ours: queues, custom fields, statuses and priorities as configured.
//
// What is not mapped is told, never guessed: such a ticket is left out until somebody has said what
// its words mean. Pure functions, safe from any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/ledger/ledger.h"
#include "collector/tickets/raw_ticket.h"

namespace oppetid::collector {

struct FieldMapping {
  std::string from;  // the source's field; its meaning is the source's business
  // The source's word -> ours. Also "80-100" for whole numbers, and "*" for everything else.
  std::map<std::string, std::string> words;
  bool as_is = false;  // the source speaks our words

  std::optional<std::string> Find(const std::string& word) const;
};

struct TicketMapping {
  FieldMapping municipality, kind, priority, status, service;
  std::string satisfaction_from;
  // Whether only an answer to the customer counts as a response: then a ticket is `new` until it
  // has one, whatever its status.
  bool responded_by_reply = true;
  // Whether a customer's reply ends a wait for the customer, also where nobody moved the status.
  bool customer_reply_ends_pause = false;
};

// Why a ticket, or a part of it, was not taken.
struct Unmapped {
  std::string what;  // municipality, kind, priority, status, service
  std::string word;  // as the source says it; for whoever configures the mapping
  bool operator==(const Unmapped&) const = default;
};

struct MappedTicket {
  std::optional<TicketWrite> ticket;
  std::vector<Unmapped> unmapped;
  std::string reason;  // why it was refused, or its answer left out; empty when all is fine
};

// `source` prefixes the ticket's id.
MappedTicket MapTicket(const std::string& source, const RawTicket& raw,
                       const TicketMapping& mapping, Instant now);

// Whether `word` is one that `what` (municipality, kind, priority, status, service) may be, and
// which those are.
bool IsTicketWord(std::string_view what, const std::string& word);
std::string WordsAllowed(std::string_view what);

// Whether a ticket may have this id: 1 to 100 bytes of one line that no spreadsheet takes for a
// formula.
bool IsTicketId(std::string_view id);
// 1 to 5, also as "4.0" or "4,0"; nullopt for everything else.
std::optional<int> ParseScore(std::string_view text);

// Events further ahead of our clock than this are refused.
inline constexpr Millis kTicketClockAhead{3'600'000};

}  // namespace oppetid::collector
