#include "collector/tickets/ticket_json.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <vector>

#include "collector/report/line_object.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

// The busiest ticket of a year has hundreds.
constexpr size_t kMaxEvents = 10'000;

// Reads the keys of one object; the first fault counts.
class Keys {
 public:
  Keys(const json::object& object, std::string where, std::string* reason)
      : object_(object), where_(std::move(where)), reason_(*reason) {}

  std::string Text(std::string_view key, bool required) {
    const json::value* value = Find(key, required);
    if (value == nullptr) return {};
    const json::string* text = value->if_string();
    if (text == nullptr || text->empty() || text->size() > kMaxNameBytes) {
      Fault(key, "expected text of 1 to 1000 bytes");
      return {};
    }
    return {text->data(), text->size()};
  }
  bool Bool(std::string_view key) {
    const json::value* value = Find(key, false);
    if (value == nullptr) return false;
    if (!value->is_bool()) Fault(key, "expected true or false");
    return value->is_bool() && value->get_bool();
  }
  Instant At(std::string_view key) {
    const std::string text = Text(key, true);
    if (text.empty()) return {};
    const auto at = ParseInstant(text);
    if (!at) Fault(key, "not an instant; allowed: RFC 3339, as in 2026-07-01T00:00:00.000Z");
    return at.value_or(Instant());
  }
  std::string Score(std::string_view key) {
    const json::value* value = Find(key, true);
    if (value == nullptr) return {};
    const int64_t* number = value->if_int64();
    if (number == nullptr || *number < 1 || *number > 5) {
      Fault(key, "expected a whole number from 1 to 5");
      return {};
    }
    return std::to_string(*number);
  }
  const json::value* Find(std::string_view key, bool required) {
    known_.push_back(key);
    const json::value* value = object_.if_contains(key);
    if (value == nullptr && required) Fault(key, "missing");
    return value;
  }
  void Fault(std::string_view key, std::string_view what) {
    if (reason_.empty()) {
      reason_ = where_ + "`" + std::string(key) + "`: " + std::string(what);
    }
  }
  void Finish() {
    for (const auto& entry : object_) {
      const std::string_view key(entry.key().data(), entry.key().size());
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      if (!reason_.empty()) return;
      reason_ = where_ + "a key that is not allowed; allowed:";
      for (const std::string_view allowed : known_) reason_ += " " + std::string(allowed);
    }
  }

 private:
  const json::object& object_;
  std::string where_;
  std::string& reason_;
  std::vector<std::string_view> known_;
};

RawEvent ReadEvent(const json::object& object, size_t index, std::string* reason) {
  Keys keys(object, "events[" + std::to_string(index) + "]: ", reason);
  RawEvent event;
  event.at = keys.At("at");
  event.order = static_cast<int64_t>(index);
  event.status = keys.Text("status", true);
  event.responded = keys.Bool("responded");
  event.removed = keys.Bool("removed");
  event.municipality = keys.Text("municipality", false);
  event.kind = keys.Text("kind", false);
  event.priority = keys.Text("priority", false);
  event.service = keys.Text("service", false);
  keys.Find("recorded_at", false);  // when we learn of it is ours to say
  keys.Finish();
  return event;
}

void ReadEvents(const json::value* value, Keys& keys, RawTicket& ticket, std::string* reason) {
  if (value == nullptr) return;
  const json::array* events = value->if_array();
  if (events == nullptr || events->empty() || events->size() > kMaxEvents) {
    keys.Fault("events", "expected a list of 1 to 10000 events");
    return;
  }
  for (size_t i = 0; i < events->size() && reason->empty(); ++i) {
    const json::object* event = (*events)[i].if_object();
    if (event == nullptr) {
      keys.Fault("events", "expected objects");
    } else {
      ticket.events.push_back(ReadEvent(*event, i, reason));
    }
  }
}

void AppendText(std::string_view key, const std::string& value, std::string* out) {
  if (value.empty()) return;
  *out += ",\"" + std::string(key) + "\":" + JsonQuote(value);
}

std::string AnswerJson(const Answer& answer) {
  return "{\"score\":" + std::to_string(answer.score) + ",\"at\":\"" + FormatInstant(answer.at) +
         "\",\"recorded_at\":\"" + FormatInstant(answer.recorded_at) + "\"}";
}

}  // namespace

TicketLine ReadTicketLine(std::string_view text) {
  TicketLine line;
  std::array<unsigned char, 8192> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  json::value value(&memory);
  Findings unused("");
  if (text.size() > kMaxLineBytes || !ParseLine(text, 1, value, unused)) {
    line.reason = "not one JSON object on one line of at most 1000000 bytes, each key once";
    return line;
  }
  RawTicket ticket;
  Keys keys(value.get_object(), "", &line.reason);
  if (keys.Text("type", true) != "ticket") keys.Fault("type", "expected ticket");
  ticket.id = keys.Text("id", true);
  line.source = keys.Text("source", false);
  ticket.municipality = keys.Text("municipality", true);
  ticket.kind = keys.Text("kind", true);
  ticket.priority = keys.Text("priority", true);
  ticket.service = keys.Text("service", false);
  ReadEvents(keys.Find("events", true), keys, ticket, &line.reason);
  if (const json::value* its = keys.Find("satisfaction", false)) {
    if (const json::object* object = its->if_object()) {
      Keys answer(*object, "satisfaction: ", &line.reason);
      ticket.answer.emplace();
      ticket.answer->score = answer.Score("score");
      ticket.answer->at = answer.At("at");
      answer.Find("recorded_at", false);
      answer.Finish();
    } else {
      keys.Fault("satisfaction", "expected an object");
    }
  }
  keys.Finish();
  if (line.reason.empty()) line.ticket = std::move(ticket);
  return line;
}

TicketMapping NeutralMapping() {
  TicketMapping mapping;
  for (FieldMapping* field : {&mapping.municipality, &mapping.kind, &mapping.priority,
                              &mapping.status, &mapping.service}) {
    field->as_is = true;
  }
  mapping.responded_by_reply = false;
  return mapping;
}

std::string NeutralReason(const MappedTicket& mapped) {
  if (mapped.unmapped.empty()) return mapped.reason;
  const std::string& what = mapped.unmapped.front().what;
  return "`" + what + "`: " + WordsAllowed(what);
}

std::string TicketJson(const Ticket& ticket) {
  std::string out = "{\"type\":\"ticket\",\"id\":" + JsonQuote(ticket.id);
  AppendText("source", ticket.source, &out);
  AppendText("municipality", ticket.municipality, &out);
  AppendText("kind", ticket.kind, &out);
  AppendText("priority", ticket.priority, &out);
  AppendText("service", ticket.service, &out);
  out += ",\"events\":[";
  bool first = true;
  for (const TicketEvent& event : ticket.events) {
    out += first ? "{\"at\":\"" : ",{\"at\":\"";
    first = false;
    out += FormatInstant(event.at) + "\",\"status\":" + JsonQuote(event.status);
    if (event.responded) out += ",\"responded\":true";
    AppendText("municipality", event.municipality, &out);
    AppendText("kind", event.kind, &out);
    AppendText("priority", event.priority, &out);
    AppendText("service", event.service, &out);
    if (event.removed) out += ",\"removed\":true";
    out += ",\"recorded_at\":\"" + FormatInstant(event.recorded_at) + "\"}";
  }
  out += ']';
  if (ticket.satisfaction) out += ",\"satisfaction\":" + AnswerJson(*ticket.satisfaction);
  for (size_t i = 0; i < ticket.earlier_answers.size(); ++i) {
    out += (i == 0 ? ",\"earlier_answers\":[" : ",") + AnswerJson(ticket.earlier_answers[i]);
  }
  if (!ticket.earlier_answers.empty()) out += ']';
  return out + "}\n";
}

}  // namespace oppetid::collector
