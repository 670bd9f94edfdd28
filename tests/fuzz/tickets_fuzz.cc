// Fuzzes what helpdesks hand us: CSV, lines of JSON, Request Tracker's answers. The first byte says
// which.
#include <cstdint>

#include "collector/tickets/csv_tickets.h"
#include "collector/tickets/rt_history.h"
#include "collector/tickets/ticket_json.h"
#include "common/check.h"
#include "common/text.h"

namespace {

using namespace oppetid;
using namespace oppetid::collector;

constexpr Instant kNow = FromUnixMillis(1'800'000'000'000);

void CheckTicket(const RawTicket& raw, const TicketMapping& mapping) {
  const MappedTicket mapped = MapTicket("f", raw, mapping, kNow);
  if (!mapped.ticket) return;
  OPPETID_CHECK(!mapped.ticket->events.empty(), "a ticket has an event");
  OPPETID_CHECK(IsTicketId(mapped.ticket->id), "and an id");
  OPPETID_CHECK(IsTicketWord("municipality", mapped.ticket->municipality), "and a municipality");
  for (const TicketEventWrite& write : mapped.ticket->events) {
    OPPETID_CHECK(IsTicketWord("status", write.event.status), "an event has a status");
  }
}

TicketMapping AnyWord() {
  TicketMapping mapping;
  mapping.municipality = {"Kommune", {{"*", "vik"}}};
  mapping.kind = {"Queue", {{"*", "incident"}}};
  mapping.priority = {"Priority", {{"0-9", "P1"}, {"*", "P3"}}};
  mapping.status.words = {{"*", "open"}, {"resolved", "resolved"}};
  mapping.satisfaction_from = "CSAT";
  return mapping;
}

void FuzzCsv(std::string_view input, Encoding encoding) {
  CsvFormat format;
  format.encoding = encoding;
  format.zone = Zone::Find("UTC");
  format.id = "a";
  format.created = "b";
  format.status = "c";
  format.resolved = "d";
  CsvTickets tickets(format);
  CsvReader reader(';');
  bool bound = false;
  const CsvReader::Visit visit = [&](CsvRecord& record) {
    OPPETID_CHECK(record.end <= input.size() && record.offset < record.end, "within the input");
    if (!bound) {
      bound = tickets.Bind(record).empty();
      return bound;
    }
    std::string reason;
    const auto ticket = tickets.Read(record, &reason);
    OPPETID_CHECK(ticket.has_value() == reason.empty(), "a ticket or a reason");
    OPPETID_CHECK(IsUtf8(reason), "a reason is text");
    if (ticket) CheckTicket(*ticket, AnyWord());
    return true;
  };
  if (reader.Add(input, visit)) reader.Finish(visit);
}

void FuzzRt(std::string_view input) {
  const auto tickets = ParseRtTickets(input);
  const auto transactions = ParseRtTransactions(input);
  ParseRtQueues(input);
  ParseRtState(input);
  if (!tickets || !transactions) return;
  for (const RtTicket& ticket : tickets->tickets) {
    CheckTicket(RtHistory(ticket, transactions->transactions, AnyWord(), {}), AnyWord());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'j': {
      const TicketLine line = ReadTicketLine(input);
      OPPETID_CHECK(line.ticket.has_value() == line.reason.empty(), "a ticket or a reason");
      if (line.ticket) CheckTicket(*line.ticket, NeutralMapping());
      break;
    }
    case 'r':
      FuzzRt(input);
      break;
    case 'w':
      FuzzCsv(input, Encoding::kWindows1252);
      break;
    default:
      FuzzCsv(input, Encoding::kUtf8);
  }
  return 0;
}
