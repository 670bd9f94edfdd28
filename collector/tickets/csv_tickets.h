// A helpdesk's CSV export: one record a ticket, its columns named in the configuration.
//
// Only configured columns are looked at; everything else is dropped before anything is kept. A cell
// is text, never a formula: one that a spreadsheet would evaluate is refused where it would be
// kept. Pure, safe from any thread after Bind.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/sla/zone.h"
#include "collector/tickets/csv.h"
#include "collector/tickets/raw_ticket.h"

namespace oppetid::collector {

enum class Encoding { kUtf8, kWindows1252, kLatin1 };

// `bytes` as UTF-8; nullopt where they are none of this encoding, or hold control characters other
// than tabs and newlines.
std::optional<std::string> Decode(std::string_view bytes, Encoding encoding);

struct CsvFormat {
  char delimiter = ';';
  Encoding encoding = Encoding::kUtf8;
  // %d %m %Y %H %M %S and literal text, or empty: RFC 3339.
  std::string instant = "%d.%m.%Y %H:%M";
  std::optional<Zone> zone;  // of instants without an offset
  // Header names. Empty where a column is not there; id, created and status are.
  std::string id, created, status, responded, resolved, updated, scored_at;
  std::string municipality, kind, priority, service, score;
};

// An instant as the format writes it. A local time that does not exist is the instant of the clock
// change; one that exists twice is the first, or, where that lies before `not_before`, the second.
std::optional<Instant> ParseLocalInstant(std::string_view text, const CsvFormat& format,
                                         std::optional<Instant> not_before);

class CsvTickets {
 public:
  explicit CsvTickets(CsvFormat format) : format_(std::move(format)) {}

  // Finds the columns; empty, or which are missing or stand twice.
  std::string Bind(const CsvRecord& header);
  // The ticket in a record, or why there is none.
  std::optional<RawTicket> Read(const CsvRecord& record, std::string* reason) const;

 private:
  static constexpr size_t kAbsent = SIZE_MAX;
  struct Cells;

  CsvFormat format_;
  std::map<std::string, size_t> column_;  // by header name
  size_t fields_ = 0;
};

}  // namespace oppetid::collector
