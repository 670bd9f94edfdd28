#include "collector/tickets/mapping.h"

#include <algorithm>
#include <charconv>

#include "collector/tickets/words.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr size_t kMaxIdBytes = 100;

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool InRange(std::string_view range, int64_t value) {
  const size_t dash = range.find('-', 1);
  if (dash == std::string_view::npos) return false;
  const auto from = WholeNumber(range.substr(0, dash)), to = WholeNumber(range.substr(dash + 1));
  return from && to && *from <= value && value <= *to;
}

template <size_t N>
std::string NotOneOf(const std::array<std::string_view, N>& words) {
  std::string text = "not one of";
  for (const std::string_view word : words) text += " " + std::string(word);
  return text;
}

// Maps one ticket; notes what has no meaning yet.
class Mapper {
 public:
  Mapper(const RawTicket& raw, const TicketMapping& mapping) : raw_(raw), mapping_(mapping) {}

  MappedTicket Map(const std::string& source, Instant now) {
    MappedTicket out;
    TicketWrite& ticket = out.ticket.emplace();
    ticket.source = source;
    ticket.id = source + "-" + raw_.id;
    if (!IsTicketId(raw_.id) || !IsTicketId(ticket.id))
      return Refuse("`id`: not the id of a ticket");
    if (raw_.events.empty()) return Refuse("no event");
    ticket.municipality = Word("municipality", mapping_.municipality, raw_.municipality);
    ticket.kind = Word("kind", mapping_.kind, raw_.kind);
    ticket.priority = Word("priority", mapping_.priority, raw_.priority);
    ticket.service = Service(raw_.service);
    if (raw_.now) ticket.snapshot = raw_.now->as_of;
    AddEvents(ticket);
    if (std::string reason = AddNow(ticket); !reason.empty()) return Refuse(reason);
    for (const TicketEventWrite& write : ticket.events) {
      if (write.event.at > now + kTicketClockAhead) return Refuse("an event lies in the future");
    }
    if (raw_.answer) {
      const auto score = ParseScore(raw_.answer->score);
      if (score && raw_.answer->at <= now + kTicketClockAhead) {
        ticket.satisfaction = Answer{*score, raw_.answer->at, {}};
      } else {
        out.reason = "satisfaction: not a whole number from 1 to 5; left out";
      }
    }
    out.unmapped = std::move(unmapped_);
    if (incomplete_) out.ticket.reset();
    return out;
  }

 private:
  MappedTicket Refuse(std::string reason) {
    return {std::nullopt, std::move(unmapped_), std::move(reason)};
  }

  void Miss(const char* what, const std::string& word) {
    Unmapped missing{what, OneLine(word, 60)};
    if (std::find(unmapped_.begin(), unmapped_.end(), missing) == unmapped_.end()) {
      unmapped_.push_back(std::move(missing));
    }
  }

  std::string Word(const char* what, const FieldMapping& field, const std::string& word) {
    if (auto found = field.Find(word); found && IsTicketWord(what, *found)) return *found;
    Miss(what, word);
    incomplete_ = true;
    return {};
  }

  // A ticket need not have a service, so one without meaning costs no more than itself.
  std::string Service(const std::string& word) {
    if (word.empty()) return {};
    if (auto found = mapping_.service.Find(word); found && IsTicketWord("service", *found))
      return *found;
    Miss("service", word);
    incomplete_ = incomplete_ || mapping_.service.as_is;
    return {};
  }

  std::string StatusOf(const RawEvent& event) {
    if (!event.means.empty()) return event.means;
    return event.status.empty() ? "" : Word("status", mapping_.status, event.status);
  }

  // What counts: an open ticket that nobody has answered is new.
  std::string Seen(const std::string& status) const {
    return status == "open" && mapping_.responded_by_reply && !answered_ ? "new" : status;
  }

  void AddEvents(TicketWrite& ticket) {
    std::vector<const RawEvent*> order;
    for (const RawEvent& event : raw_.events) order.push_back(&event);
    std::stable_sort(order.begin(), order.end(), [](const RawEvent* a, const RawEvent* b) {
      return std::pair(a->at, a->order) < std::pair(b->at, b->order);
    });
    std::string status = raw_.status.empty() ? "" : Word("status", mapping_.status, raw_.status);
    for (const RawEvent* raw : order) {
      const bool first = ticket.events.empty();
      TicketEventWrite write;
      write.key = raw->key;
      write.order = raw->order;
      TicketEvent& event = write.event;
      event.at = raw->at;
      event.responded = raw->responded;
      event.removed = raw->removed;
      answered_ = answered_ || raw->responded;
      if (std::string next = StatusOf(*raw); !next.empty()) status = next;
      if (raw->customer_reply && mapping_.customer_reply_ends_pause &&
          status == "waiting_customer") {
        status = "open";
      }
      if (status.empty()) {
        Miss("status", "");
        incomplete_ = true;
      }
      event.status = Seen(status);
      Change(raw->municipality, "municipality", mapping_.municipality, event.municipality);
      Change(raw->kind, "kind", mapping_.kind, event.kind);
      Change(raw->priority, "priority", mapping_.priority, event.priority);
      event.service = Service(raw->service);
      // Who speaks our words may tell one event at a time: what it repeats may be news here.
      const bool moved =
          first || mapping_.status.as_is || event.status != ticket.events.back().event.status;
      const bool says = moved || event.responded || event.removed || !event.municipality.empty() ||
                        !event.kind.empty() || !event.priority.empty() || !event.service.empty();
      if (says) ticket.events.push_back(std::move(write));
    }
  }

  void Change(const std::string& word, const char* what, const FieldMapping& field,
              std::string& into) {
    if (!word.empty()) into = Word(what, field, word);
  }

  // What the source knows only as it is now; empty, or why it cannot be.
  std::string AddNow(TicketWrite& ticket) {
    if (!raw_.now || ticket.events.empty()) return "";
    const std::string status = Word("status", mapping_.status, raw_.now->status);
    const TicketEvent& last = ticket.events.back().event;
    if (status.empty() || status == last.status || Seen(status) == last.status) return "";
    if (IsResolvedStatus(status)) {
      return IsResolvedStatus(last.status) ? "" : "resolved or closed, but not since when";
    }
    if (!raw_.now->at) return "its status differs from its instants, and it says not since when";
    if (*raw_.now->at < last.at) return "changed last before its newest event";
    TicketEventWrite write;
    write.event.at = *raw_.now->at;
    write.event.status = Seen(status);
    write.order = ticket.events.back().order + 1;
    ticket.events.push_back(std::move(write));
    return "";
  }

  const RawTicket& raw_;
  const TicketMapping& mapping_;
  std::vector<Unmapped> unmapped_;
  bool incomplete_ = false;
  bool answered_ = false;
};

}  // namespace

std::optional<std::string> FieldMapping::Find(const std::string& word) const {
  if (as_is) return word;
  if (const auto exact = words.find(word); exact != words.end()) return exact->second;
  if (const auto number = WholeNumber(word)) {
    for (const auto& [range, ours] : words) {
      if (InRange(range, *number)) return ours;
    }
  }
  if (const auto rest = words.find("*"); rest != words.end()) return rest->second;
  return std::nullopt;
}

MappedTicket MapTicket(const std::string& source, const RawTicket& raw,
                       const TicketMapping& mapping, Instant now) {
  return Mapper(raw, mapping).Map(source, now);
}

bool IsTicketWord(std::string_view what, const std::string& word) {
  if (what == "kind") return IsWord(word, kTicketKinds);
  if (what == "priority") return IsWord(word, kTicketPriorities);
  if (what == "status") return IsWord(word, kTicketStatuses);
  return what == "service" ? IsCheckName(word) : IsId(word);
}

std::string WordsAllowed(std::string_view what) {
  if (what == "kind") return NotOneOf(kTicketKinds);
  if (what == "priority") return NotOneOf(kTicketPriorities);
  if (what == "status") return NotOneOf(kTicketStatuses);
  if (what == "service") return "expected 1 to 100 of letters, digits and _.:-";
  return "expected 1 to 63 of a-z, 0-9, - and .";
}

bool IsTicketId(std::string_view id) {
  constexpr std::string_view kFormula = "=+-@";
  return !id.empty() && id.size() <= kMaxIdBytes && kFormula.find(id[0]) == kFormula.npos &&
         id[0] != ' ' && OneLine(id, kMaxIdBytes) == id;
}

std::optional<int> ParseScore(std::string_view text) {
  if (text.empty() || text[0] < '1' || text[0] > '5') return std::nullopt;
  const int score = text[0] - '0';
  text.remove_prefix(1);
  if (text.empty()) return score;
  const bool whole = text.size() >= 2 && (text[0] == ',' || text[0] == '.') &&
                     text.find_first_not_of('0', 1) == std::string_view::npos;
  return whole ? std::optional(score) : std::nullopt;
}

}  // namespace oppetid::collector
