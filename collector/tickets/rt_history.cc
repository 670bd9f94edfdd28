#include "collector/tickets/rt_history.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parser.hpp>
#include <charconv>

namespace oppetid::collector {
namespace {

namespace json = boost::json;

const json::object* Object(const json::value* value) {
  return value == nullptr ? nullptr : value->if_object();
}

std::string Text(const json::value* value) {
  if (value == nullptr) return {};
  if (const auto* text = value->if_string()) return {text->data(), text->size()};
  if (const auto* number = value->if_int64()) return std::to_string(*number);
  return {};
}

// RT writes numbers as strings, as numbers, and as 0.0.
int64_t Number(const json::value* value) {
  if (value == nullptr) return 0;
  if (const auto* number = value->if_double())
    return *number >= 1 && *number < 1e15 ? static_cast<int64_t>(*number) : 0;
  const std::string text = Text(value);
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Instant At(const json::value* value) { return ParseInstant(Text(value)).value_or(Instant()); }

std::optional<json::value> Parse(std::string_view body) {
  json::parser parser;
  json::error_code error;
  parser.write(body.data(), body.size(), error);
  if (error) return std::nullopt;
  auto value = parser.release();
  if (!value.is_object()) return std::nullopt;
  return value;
}

const json::array* Items(const json::value& root) {
  const json::value* items = root.get_object().if_contains("items");
  return items == nullptr ? nullptr : items->if_array();
}

RtTicket TicketOf(const json::object& item) {
  RtTicket ticket;
  ticket.id = Number(item.if_contains("id"));
  ticket.status = Text(item.if_contains("Status"));
  ticket.priority = Text(item.if_contains("Priority"));
  if (const auto* queue = Object(item.if_contains("Queue"))) {
    ticket.queue = Text(queue->if_contains("Name"));
  }
  ticket.created = At(item.if_contains("Created"));
  ticket.updated = At(item.if_contains("LastUpdated"));
  if (const auto* people = item.if_contains("Requestor"); people && people->is_array()) {
    for (const json::value& person : people->get_array()) {
      if (const auto* its = Object(&person)) ticket.requestors.insert(Text(its->if_contains("id")));
    }
  }
  if (const auto* fields = item.if_contains("CustomFields"); fields && fields->is_array()) {
    for (const json::value& field : fields->get_array()) {
      const auto* its = Object(&field);
      if (its == nullptr) continue;
      const std::string name = Text(its->if_contains("name"));
      ticket.field_names[Text(its->if_contains("id"))] = name;
      const json::value* values = its->if_contains("values");
      if (values != nullptr && values->is_array() && !values->get_array().empty()) {
        ticket.fields[name] = Text(&values->get_array()[0]);
      }
    }
  }
  return ticket;
}

RtTransaction TransactionOf(const json::object& item) {
  RtTransaction out;
  out.id = Number(item.if_contains("id"));
  out.ticket = Number(item.if_contains("ObjectId"));
  out.type = Text(item.if_contains("Type"));
  out.field = Text(item.if_contains("Field"));
  out.before = Text(item.if_contains("OldValue"));
  out.after = Text(item.if_contains("NewValue"));
  if (const auto* creator = Object(item.if_contains("Creator"))) {
    out.creator = Text(creator->if_contains("id"));
  }
  out.at = At(item.if_contains("Created"));
  return out;
}

// One ticket's history in the making.
class History {
 public:
  History(const RtTicket& ticket, const TicketMapping& mapping,
          const std::map<std::string, std::string>& queues)
      : ticket_(ticket), mapping_(mapping), queues_(queues) {}

  RawTicket Tell(const std::vector<RtTransaction>& transactions) {
    raw_.id = std::to_string(ticket_.id);
    raw_.status = ticket_.status;
    for (const RtTransaction& its : transactions) {
      if (its.type != "Status") continue;
      raw_.status = its.before;
      break;
    }
    AtCreation(mapping_.municipality.from, transactions, raw_.municipality);
    AtCreation(mapping_.kind.from, transactions, raw_.kind);
    AtCreation(mapping_.priority.from, transactions, raw_.priority);
    AtCreation(mapping_.service.from, transactions, raw_.service);
    const bool created = std::any_of(transactions.begin(), transactions.end(),
                                     [](const auto& its) { return its.type == "Create"; });
    if (!created) {  // the reader may not see it
      RawEvent event;
      event.at = ticket_.created;
      event.key = "created";
      raw_.events.push_back(std::move(event));
    }
    for (const RtTransaction& its : transactions) Add(its);
    return std::move(raw_);
  }

 private:
  // What a transaction makes of the field `from`; nullopt where it is about something else.
  std::optional<std::pair<std::string, std::string>> Change(const std::string& from,
                                                            const RtTransaction& its) const {
    if (from.empty()) return std::nullopt;
    if (its.type == "Set" && its.field == from) {
      if (from == "Queue") return std::pair(QueueName(its.before), QueueName(its.after));
      return std::pair(its.before, its.after);
    }
    if (its.type != "CustomField") return std::nullopt;
    const auto name = ticket_.field_names.find(its.field);
    if (name == ticket_.field_names.end() || name->second != from) return std::nullopt;
    return std::pair(its.before, its.after);
  }

  std::string QueueName(const std::string& id) const {
    const auto name = queues_.find(id);
    return name == queues_.end() ? id : name->second;
  }

  std::string Current(const std::string& from) const {
    if (from == "Queue") return ticket_.queue;
    if (from == "Priority") return ticket_.priority;
    const auto field = ticket_.fields.find(from);
    return field == ticket_.fields.end() ? "" : field->second;
  }

  // The value at creation. A field that was filled in later counts from the beginning: what the
  // ticket is about did not change by being told.
  void AtCreation(const std::string& from, const std::vector<RtTransaction>& transactions,
                  std::string& into) const {
    if (from.empty()) return;
    into = Current(from);
    for (const RtTransaction& its : transactions) {
      const auto change = Change(from, its);
      if (!change) continue;
      into = change->first.empty() ? change->second : change->first;
      if (!into.empty()) return;
    }
  }

  void Add(const RtTransaction& its) {
    RawEvent event;
    event.at = its.at;
    event.key = std::to_string(its.id);
    event.order = its.id;
    bool says = its.type == "Create";
    if (its.type == "Status") {
      says = true;
      event.removed = its.after == "deleted";
      if (!event.removed) event.status = its.after;
    } else if (its.type == "Correspond") {
      event.customer_reply = ticket_.requestors.contains(its.creator);
      event.responded = !event.customer_reply && its.creator != "RT_System" && !responded_;
      responded_ = responded_ || event.responded;
      says = event.customer_reply || event.responded;
    }
    const std::pair<const FieldMapping*, std::string*> fields[] = {
        {&mapping_.municipality, &event.municipality},
        {&mapping_.kind, &event.kind},
        {&mapping_.priority, &event.priority},
        {&mapping_.service, &event.service}};
    for (const auto& [field, into] : fields) {
      const auto change = Change(field->from, its);
      if (!change || change->first.empty()) continue;
      *into = change->second;
      says = says || !into->empty();
    }
    if (const auto change = Change(mapping_.satisfaction_from, its);
        change && !change->second.empty()) {
      raw_.answer = RawAnswer{change->second, its.at};
    }
    if (says) raw_.events.push_back(std::move(event));
  }

  const RtTicket& ticket_;
  const TicketMapping& mapping_;
  const std::map<std::string, std::string>& queues_;
  RawTicket raw_;
  bool responded_ = false;
};

}  // namespace

std::optional<RtTickets> ParseRtTickets(std::string_view body) {
  const auto root = Parse(body);
  const json::array* items = root ? Items(*root) : nullptr;
  if (items == nullptr) return std::nullopt;
  RtTickets page;
  page.pages = Number(root->get_object().if_contains("pages"));
  for (const json::value& item : *items) {
    if (const auto* its = item.if_object()) page.tickets.push_back(TicketOf(*its));
  }
  return page;
}

std::optional<RtTransactions> ParseRtTransactions(std::string_view body) {
  const auto root = Parse(body);
  const json::array* items = root ? Items(*root) : nullptr;
  if (items == nullptr) return std::nullopt;
  RtTransactions page;
  page.count = Number(root->get_object().if_contains("count"));
  for (const json::value& item : *items) {
    if (const auto* its = item.if_object()) page.transactions.push_back(TransactionOf(*its));
  }
  return page;
}

std::optional<std::map<std::string, std::string>> ParseRtQueues(std::string_view body) {
  const auto root = Parse(body);
  const json::array* items = root ? Items(*root) : nullptr;
  if (items == nullptr) return std::nullopt;
  std::map<std::string, std::string> names;
  for (const json::value& item : *items) {
    if (const auto* its = item.if_object()) {
      names[Text(its->if_contains("id"))] = Text(its->if_contains("Name"));
    }
  }
  return names;
}

std::optional<RtState> ParseRtState(std::string_view body) {
  const auto root = Parse(body);
  if (!root) return std::nullopt;
  const json::object& ticket = root->get_object();
  return RtState{Number(ticket.if_contains("id")), Text(ticket.if_contains("Status"))};
}

RawTicket RtHistory(const RtTicket& ticket, const std::vector<RtTransaction>& transactions,
                    const TicketMapping& mapping,
                    const std::map<std::string, std::string>& queues) {
  return History(ticket, mapping, queues).Tell(transactions);
}

}  // namespace oppetid::collector
