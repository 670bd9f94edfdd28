#include "collector/report/facts_reader.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <functional>

#include "collector/sla/timeline.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

const std::vector<std::string_view> kTypes = {"span", "backup_run", "maintenance", "correction",
                                              "revocation"};
const std::vector<std::string_view> kStateNames = {"ok", "warning", "critical", "unknown"};
const std::vector<std::string_view> kKinds = {"incident", "request", "problem", "change"};
const std::vector<std::string_view> kPriorities = {"P1", "P2", "P3", "P4", "P5"};
const std::vector<std::string_view> kStatuses = {
    "new", "open", "waiting_customer", "waiting_supplier", "resolved", "closed"};

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

// A check's full name: one slash with something on both sides.
bool IsFullCheckName(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() &&
         text.find('/', slash + 1) == std::string_view::npos;
}

void CheckOrder(LineObject& object, Instant from, Instant to, const char* first,
                const char* second) {
  if (object.ok() && from > to) {
    object.Fault("`" + std::string(first) + "` " + FormatInstant(from) + " is after `" + second +
                 "` " + FormatInstant(to) + "; allowed: " + first + " at or before " + second);
  }
}

// Keeps one fact an id; the same fact again changes nothing.
template <class Fact>
bool Keep(std::map<std::string, Fact, std::less<>>& by_id, Fact fact) {
  const auto [it, is_new] = by_id.try_emplace(fact.id, fact);
  return is_new || it->second == fact;
}

}  // namespace

FactsReader::FactsReader(Findings& history, Findings& tickets, Facts& facts)
    : history_(history), tickets_(tickets), facts_(facts) {}

bool FactsReader::HistoryLine(std::string_view text, int line) {
  if (IsBlank(text)) return true;
  std::array<unsigned char, 8192> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::json::value value(&memory);
  if (!ParseLine(text, line, value, history_)) return !history_.full();
  LineObject object(value.get_object(), line, "", history_);
  const std::string type = object.OneOf("type", kTypes);
  if (type == "span") {
    ReadSpan(object);
  } else if (type == "backup_run") {
    ReadBackupRun(object);
  } else if (type == "maintenance") {
    ReadMaintenance(object, line);
  } else if (type == "correction") {
    ReadCorrection(object, line);
  } else if (type == "revocation") {
    ReadRevocation(object, line);
  }
  return !history_.full();
}

void FactsReader::ReadSpan(LineObject& object) {
  const std::string check = object.Text("check");
  Span span;
  span.from = object.At("from");
  span.to = object.At("to");
  const std::string state = object.OneOf("state", kStateNames);
  span.recorded_at = object.At("recorded_at", span.from);
  const bool gap = object.Bool("gap", false);
  std::string reason = object.FreeTextOrNone("reason");
  object.Finish();
  if (!check.empty() && !IsFullCheckName(check)) {
    object.Fault("`check`: `" + OneLine(check, 60) +
                 "` is not the name of a check; allowed: " + "<host>/<check>");
  }
  if (object.ok() && gap && state != "unknown") {
    object.Fault("`gap`: a gap has the state unknown, not " + state);
  }
  if (object.ok() && span.from >= span.to) {
    object.Fault("`from` " + FormatInstant(span.from) + " is not before `to` " +
                 FormatInstant(span.to) + "; a span holds at least a millisecond");
  }
  if (!object.ok()) return;
  span.state = *ParseState(state);
  if (gap) facts_.gaps[{check, span.from}] = std::move(reason);
  facts_.spans[check].push_back(span);
}

void FactsReader::ReadBackupRun(LineObject& object) {
  const std::string job = object.Text("job");
  BackupRun run;
  run.restore_test = object.OneOf("kind", {"backup", "restore_test"}) == "restore_test";
  run.start = object.At("start");
  run.end = object.At("end");
  run.success = object.OneOf("result", {"success", "failed"}) == "success";
  run.recorded_at = object.At("recorded_at", run.end);
  object.Finish();
  CheckOrder(object, run.start, run.end, "start", "end");
  if (object.ok()) facts_.backup_runs[job].push_back(run);
}

Scope FactsReader::Services(LineObject& object, int line) {
  Scope scope = object.Names("services");
  for (const std::string& name : scope.names) history_services_.try_emplace(name, line);
  return scope;
}

Scope FactsReader::Municipalities(LineObject& object, int line) {
  Scope scope = object.Names("municipalities");
  for (const std::string& name : scope.names) history_municipalities_.try_emplace(name, line);
  return scope;
}

void FactsReader::ReadMaintenance(LineObject& object, int line) {
  Maintenance window;
  window.id = object.Text("id");
  window.services = Services(object, line);
  window.municipalities = Municipalities(object, line);
  window.when.from = object.At("from");
  window.when.to = object.At("to");
  window.announced_at = object.At("announced_at");
  window.recorded_at = object.At("recorded_at", window.announced_at);
  window.by = object.FreeTextOrNone("by");
  window.reason = object.FreeTextOrNone("reason");
  object.Finish();
  CheckOrder(object, window.when.from, window.when.to, "from", "to");
  if (!object.ok()) return;
  if (facts_.corrections.contains(window.id) || !Keep(facts_.maintenance, window)) {
    object.Fault("`id`: `" + OneLine(window.id, 60) +
                 "` is already another fact's; ids are unique");
  }
}

void FactsReader::ReadCorrection(LineObject& object, int line) {
  Correction correction;
  correction.id = object.Text("id");
  correction.services = Services(object, line);
  correction.municipalities = Municipalities(object, line);
  correction.when.from = object.At("from");
  correction.when.to = object.At("to");
  const std::string as = object.OneOf("as", {"up", "down", "excluded"});
  correction.as = as == "up" ? Override::kUp : as == "down" ? Override::kDown : Override::kExcluded;
  correction.by = object.FreeText("by");
  correction.reason = object.FreeText("reason");
  correction.recorded_at = object.At("recorded_at");
  object.Finish();
  CheckOrder(object, correction.when.from, correction.when.to, "from", "to");
  if (!object.ok()) return;
  if (facts_.maintenance.contains(correction.id) || !Keep(facts_.corrections, correction)) {
    object.Fault("`id`: `" + OneLine(correction.id, 60) +
                 "` is already another fact's; ids are unique");
  }
}

void FactsReader::ReadRevocation(LineObject& object, int line) {
  Revocation revocation;
  revocation.revokes = object.Text("revokes");
  revocation.by = object.FreeText("by");
  revocation.reason = object.FreeText("reason");
  revocation.recorded_at = object.At("recorded_at");
  object.Finish();
  if (!object.ok()) return;
  facts_.revocations.push_back(std::move(revocation));
  revocation_lines_.push_back(line);
}

void FactsReader::ReadEvent(LineObject& object, Ticket& ticket) {
  TicketEvent event;
  event.at = object.At("at");
  event.status = object.OneOf("status", kStatuses);
  event.responded = object.Bool("responded", false);
  event.removed = object.Bool("removed", false);
  event.municipality = object.Text("municipality", "");
  event.kind = object.OneOf("kind", kKinds, "");
  event.priority = object.OneOf("priority", kPriorities, "");
  event.service = object.Text("service", "");
  event.recorded_at = object.At("recorded_at", event.at);
  object.Finish();
  ticket.events.push_back(std::move(event));
}

bool FactsReader::ReadAnswers(LineObject& object, int line, Ticket& ticket) {
  bool ok = true;
  const auto read = [&](const boost::json::object& its, const std::string& where) {
    LineObject answer(its, line, where, tickets_);
    Answer out;
    out.score = static_cast<int>(answer.Int("score", 1, 5));
    out.at = answer.At("at");
    out.recorded_at = answer.At("recorded_at", out.at);
    answer.Finish();
    ok = ok && answer.ok();
    return out;
  };
  if (const boost::json::object* its = object.Object("satisfaction")) {
    ticket.satisfaction = read(*its, "satisfaction: ");
  }
  const boost::json::array* earlier = object.ListOrNone("earlier_answers");
  for (size_t i = 0; earlier != nullptr && i < earlier->size(); ++i) {
    const std::string where = "earlier_answers[" + std::to_string(i) + "]: ";
    if (const boost::json::object* its = (*earlier)[i].if_object()) {
      ticket.earlier_answers.push_back(read(*its, where));
    } else {
      object.Fault(where + "expected an object");
    }
  }
  return ok;
}

bool FactsReader::TicketLine(std::string_view text, int line) {
  if (IsBlank(text)) return true;
  std::array<unsigned char, 8192> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::json::value value(&memory);
  if (!ParseLine(text, line, value, tickets_)) return !tickets_.full();
  LineObject object(value.get_object(), line, "", tickets_);
  object.OneOf("type", {"ticket"});
  Ticket ticket;
  ticket.id = object.Text("id");
  ticket.source = object.Text("source", "");
  ticket.municipality = object.Text("municipality");
  ticket.kind = object.OneOf("kind", kKinds);
  ticket.priority = object.OneOf("priority", kPriorities);
  ticket.service = object.Text("service", "");
  bool ok = true;
  if (const boost::json::array* events = object.List("events")) {
    for (size_t i = 0; i < events->size(); ++i) {
      const boost::json::object* its = (*events)[i].if_object();
      const std::string where = "events[" + std::to_string(i) + "]: ";
      if (its == nullptr) {
        object.Fault(where + "expected an object");
        continue;
      }
      LineObject event(*its, line, where, tickets_);
      ReadEvent(event, ticket);
      ok = ok && event.ok();
    }
  }
  ok = ReadAnswers(object, line, ticket) && ok;
  object.Finish();
  if (!object.ok() || !ok) return !tickets_.full();
  if (!Keep(facts_.tickets, ticket)) {
    object.Fault("`id`: `" + OneLine(ticket.id, 60) +
                 "` is already another ticket's; ids are unique across sources");
    return !tickets_.full();
  }
  ticket_municipalities_.try_emplace(ticket.municipality, line);
  if (!ticket.service.empty()) ticket_services_.try_emplace(ticket.service, line);
  for (const TicketEvent& event : ticket.events) {
    if (!event.municipality.empty()) ticket_municipalities_.try_emplace(event.municipality, line);
    if (!event.service.empty()) ticket_services_.try_emplace(event.service, line);
  }
  return true;
}

void FactsReader::WarnUnknown(const Catalogue& catalogue) {
  std::vector<std::string_view> services, municipalities;
  for (const Service& service : catalogue.services) services.push_back(service.id);
  for (const Municipality& its : catalogue.municipalities) municipalities.push_back(its.id);
  const auto warn = [](Findings& findings, const std::map<std::string, int>& named,
                       const std::vector<std::string_view>& known, const char* what) {
    for (const auto& [name, line] : named) {
      if (findings.warnings_full()) return;  // the search for the nearest name is dear
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      findings.Warn(line, std::string(what) + " `" + OneLine(name, 60) +
                              "` is not in the catalogue" + DidYouMean(name, known));
    }
  };
  warn(history_, history_services_, services, "service");
  warn(history_, history_municipalities_, municipalities, "municipality");
  warn(tickets_, ticket_services_, services, "service");
  warn(tickets_, ticket_municipalities_, municipalities, "municipality");
}

void FactsReader::WarnUnmeasured(const Catalogue& catalogue) {
  if (facts_.spans.empty()) return;  // nothing was measured, or no history given: said by the rows
  std::vector<std::string_view> known;
  for (const auto& [check, spans] : facts_.spans) known.push_back(check);
  std::map<std::string, const std::string*> missing;  // with the service that names it
  for (const Service& service : catalogue.services) {
    const std::function<void(const Expression&)> visit = [&](const Expression& expression) {
      for (const Expression& part : expression.parts) visit(part);
      if (!expression.parts.empty()) return;
      for (const ServiceMember& member : service.members) {
        const std::string check = ForMunicipality(expression.check, member.municipality);
        if (!facts_.spans.contains(check)) missing.try_emplace(check, &service.id);
      }
    };
    visit(service.up_when);
  }
  for (const auto& [check, service] : missing) {
    if (history_.warnings_full()) return;
    history_.FileWarn("no span knows the check `" + OneLine(check, 100) + "` of service `" +
                      OneLine(*service, 60) + "`" + DidYouMean(check, known) +
                      "; it counts as unknown");
  }
}

void FactsReader::Conclude(const Catalogue& catalogue) {
  for (size_t i = 0; i < facts_.revocations.size(); ++i) {
    const std::string& id = facts_.revocations[i].revokes;
    if (facts_.corrections.contains(id) || facts_.maintenance.contains(id)) continue;
    history_.Warn(revocation_lines_[i], "it revokes `" + OneLine(id, 60) +
                                            "`, which is no correction or maintenance window here");
  }
  WarnUnknown(catalogue);
  WarnUnmeasured(catalogue);
}

}  // namespace oppetid::collector
