#include "collector/tickets/csv_tickets.h"

#include <array>

#include "collector/tickets/mapping.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// Windows-1252's 0x80 to 0x9F; 0 where it has nothing.
constexpr std::array<uint16_t, 32> kWindows = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xC0 | code >> 6);
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out += static_cast<char>(0xE0 | code >> 12);
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool IsControl(unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Up to `digits` digits off the front; nullopt where there is none.
std::optional<int> TakeNumber(std::string_view& text, size_t digits) {
  int value = 0;
  size_t taken = 0;
  while (taken < digits && taken < text.size() && text[taken] >= '0' && text[taken] <= '9') {
    value = value * 10 + (text[taken++] - '0');
  }
  if (taken == 0 || (digits == 4 && taken < 4)) return std::nullopt;
  text.remove_prefix(taken);
  return value;
}

struct Parts {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

std::optional<Parts> TakeParts(std::string_view text, std::string_view pattern) {
  Parts parts;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      if (text.empty() || text[0] != pattern[i]) return std::nullopt;
      text.remove_prefix(1);
      continue;
    }
    int* into = nullptr;
    switch (pattern[++i]) {
      case 'Y':
        into = &parts.year;
        break;
      case 'm':
        into = &parts.month;
        break;
      case 'd':
        into = &parts.day;
        break;
      case 'H':
        into = &parts.hour;
        break;
      case 'M':
        into = &parts.minute;
        break;
      case 'S':
        into = &parts.second;
        break;
      default:
        return std::nullopt;
    }
    const auto number = TakeNumber(text, into == &parts.year ? 4 : 2);
    if (!number) return std::nullopt;
    *into = *number;
  }
  if (!text.empty()) return std::nullopt;
  return parts;
}

}  // namespace

std::optional<std::string> Decode(std::string_view bytes, Encoding encoding) {
  std::string out;
  if (encoding == Encoding::kUtf8) {
    if (!IsUtf8(bytes)) return std::nullopt;
    out = bytes;
  } else {
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      uint32_t code = byte;
      if (byte >= 0x80 && byte < 0xA0) {
        code = encoding == Encoding::kWindows1252 ? kWindows[byte - 0x80] : 0;
        if (code == 0) return std::nullopt;
      }
      AppendUtf8(code, &out);
    }
  }
  for (const char c : out) {
    if (IsControl(static_cast<unsigned char>(c))) return std::nullopt;
  }
  return out;
}

std::optional<Instant> ParseLocalInstant(std::string_view text, const CsvFormat& format,
                                         std::optional<Instant> not_before) {
  if (format.instant.empty()) return ParseInstant(text);
  const auto parts = TakeParts(text, format.instant);
  if (!parts || parts->hour > 23 || parts->minute > 59 || parts->second > 59) return std::nullopt;
  constexpr int kFirstYear = 1971;  // 1970, 1900 and 0001 stand for "never" in many exports
  if (parts->year < kFirstYear) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(parts->year),
                                         std::chrono::month(static_cast<unsigned>(parts->month)),
                                         std::chrono::day(static_cast<unsigned>(parts->day))};
  if (!date.ok()) return std::nullopt;
  const LocalTime local = LocalDate(date) + std::chrono::hours(parts->hour) +
                          std::chrono::minutes(parts->minute) + std::chrono::seconds(parts->second);
  const Instant first = format.zone->First(local);
  if (!not_before || first >= *not_before) return first;
  const Instant second = format.zone->Second(local);
  return second >= *not_before ? second : first;
}

std::string CsvTickets::Bind(const CsvRecord& header) {
  if (!header.fault.empty()) return "the header: " + header.fault;
  fields_ = header.fields.size();
  std::map<std::string, size_t> at;
  std::map<std::string, int> times;
  for (size_t i = 0; i < fields_; ++i) {
    const auto name = Decode(header.fields[i], format_.encoding);
    if (!name) return "the header is not in the configured encoding";
    at[std::string(Trim(*name))] = i;
    ++times[std::string(Trim(*name))];
  }
  column_.clear();
  for (const std::string* name :
       {&format_.id, &format_.created, &format_.status, &format_.responded, &format_.resolved,
        &format_.updated, &format_.scored_at, &format_.municipality, &format_.kind,
        &format_.priority, &format_.service, &format_.score}) {
    if (name->empty()) continue;
    if (!at.contains(*name)) return "no column `" + *name + "` in the header";
    if (times[*name] > 1) return "the column `" + *name + "` stands twice in the header";
    column_[*name] = at[*name];
  }
  return "";
}

// One record's cells by column name, decoded; remembers the first that cannot be.
struct CsvTickets::Cells {
  const CsvTickets& its;
  const CsvRecord& record;
  std::string reason;

  std::string Text(const std::string& column) {
    if (column.empty()) return {};
    const auto text = Decode(record.fields[its.column_.at(column)], its.format_.encoding);
    if (!text) {
      Refuse("`" + column + "`: not in the configured encoding");
      return {};
    }
    return std::string(Trim(*text));
  }
  std::optional<Instant> At(const std::string& column, std::optional<Instant> not_before) {
    const std::string text = Text(column);
    if (text.empty()) return std::nullopt;
    const auto at = ParseLocalInstant(text, its.format_, not_before);
    if (!at) {
      Refuse("`" + column + "`: not an instant as configured");
    } else if (not_before && *at < *not_before) {
      Refuse("`" + column + "`: before what it follows");
    }
    return at;
  }
  void Refuse(const std::string& why) {
    if (reason.empty()) reason = why;
  }
};

std::optional<RawTicket> CsvTickets::Read(const CsvRecord& record, std::string* reason) const {
  *reason = record.fault;
  if (reason->empty() && record.fields.size() != fields_) {
    *reason = std::to_string(record.fields.size()) + " fields where the header has " +
              std::to_string(fields_);
  }
  if (!reason->empty()) return std::nullopt;
  Cells cells{*this, record, ""};
  RawTicket ticket;
  ticket.line = record.line;
  ticket.id = cells.Text(format_.id);
  if (!IsTicketId(ticket.id)) cells.Refuse("`" + format_.id + "`: not the id of a ticket");
  ticket.municipality = cells.Text(format_.municipality);
  ticket.kind = cells.Text(format_.kind);
  ticket.priority = cells.Text(format_.priority);
  ticket.service = cells.Text(format_.service);
  const auto created = cells.At(format_.created, std::nullopt);
  if (!created) cells.Refuse("`" + format_.created + "`: missing");
  const auto responded = cells.At(format_.responded, created);
  const auto resolved = cells.At(format_.resolved, created);
  if (responded && resolved && *responded > *resolved) {
    cells.Refuse("`" + format_.resolved + "`: before the response");
  }
  ticket.now = RawNow{cells.Text(format_.status), cells.At(format_.updated, created)};
  const std::string score = cells.Text(format_.score);
  if (!score.empty()) {
    if (!ParseScore(score)) {
      cells.Refuse("`" + format_.score + "`: not a whole number from 1 to 5");
    }
    const auto scored = cells.At(format_.scored_at, created);
    const auto at = scored ? scored : resolved;
    if (!at) cells.Refuse("`" + format_.score + "`: an answer without an instant");
    if (at) ticket.answer = RawAnswer{score, *at};
  }
  *reason = cells.reason;
  if (!reason->empty()) return std::nullopt;
  const auto add = [&](Instant at, const char* means, bool is_response) {
    RawEvent event;
    event.at = at;
    event.order = static_cast<int64_t>(ticket.events.size());
    event.means = means;
    event.responded = is_response;
    ticket.events.push_back(std::move(event));
  };
  add(*created, "new", false);
  if (responded) add(*responded, "open", true);
  if (resolved) add(*resolved, "resolved", false);
  return ticket;
}

}  // namespace oppetid::collector
