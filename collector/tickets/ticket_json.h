// A ticket as a line of JSON: read from files and pushes, written by the export.
//
// Read strictly, and with reasons that never repeat what stood in the line: a report of rejects may
// be shown to people who may not see the tickets. Pure functions, safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "collector/sla/facts.h"
#include "collector/tickets/mapping.h"
#include "collector/tickets/raw_ticket.h"

namespace oppetid::collector {

// The ticket in a line, and its `source` if it names one; or why there is none.
struct TicketLine {
  std::optional<RawTicket> ticket;
  std::string source;
  std::string reason;
};
TicketLine ReadTicketLine(std::string_view text);

// A mapping for lines that speak our words already.
TicketMapping NeutralMapping();
// Why a ticket of such a line was left out: which words are allowed.
std::string NeutralReason(const MappedTicket& mapped);

// One line with its newline, as formats of tickets.jsonl have it.
std::string TicketJson(const Ticket& ticket);

}  // namespace oppetid::collector
