#include "collector/ledger/sqlite_tickets.h"

#include <algorithm>
#include <array>
#include <utility>

namespace oppetid::collector {
namespace {

// Tickets with their events; two events of one instant in the source's order, then as learnt.
constexpr char kSelect[] =
    "SELECT t.id, t.source, t.municipality, t.kind, t.priority, t.service, e.at_ms, e.status, "
    "e.responded, e.removed, e.municipality, e.kind, e.priority, e.service, e.recorded_at_ms "
    "FROM tickets t JOIN ticket_events e ON e.ticket_id = t.id ";
constexpr char kOrder[] =
    " ORDER BY t.id, e.at_ms, e.source_order, e.recorded_at_ms, e.event_key, e.status";
constexpr char kTouched[] =
    "WHERE EXISTS (SELECT 1 FROM ticket_events f WHERE f.ticket_id = t.id AND f.at_ms < ?1)";

TicketEvent EventOf(const Statement& row) {
  TicketEvent event;
  event.at = FromUnixMillis(row.Int(6));
  event.status = row.Text(7);
  event.responded = row.Int(8) != 0;
  event.removed = row.Int(9) != 0;
  event.municipality = row.Text(10);
  event.kind = row.Text(11);
  event.priority = row.Text(12);
  event.service = row.Text(13);
  event.recorded_at = FromUnixMillis(row.Int(14));
  return event;
}

// The answers of each ticket that is asked about.
class Answers {
 public:
  absl::Status Prepare(Database& db) {
    auto select = db.Prepare(
        "SELECT score, at_ms, recorded_at_ms FROM ticket_answers WHERE ticket_id = ?1 "
        "ORDER BY at_ms DESC");
    if (!select.ok()) return select.status();
    select_ = *std::move(select);
    return absl::OkStatus();
  }
  absl::Status Add(Ticket& ticket) {
    select_.Bind(1, ticket.id);
    for (;;) {
      const auto row = select_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      const Answer answer{static_cast<int>(select_.Int(0)), FromUnixMillis(select_.Int(1)),
                          FromUnixMillis(select_.Int(2))};
      if (ticket.satisfaction) {
        ticket.earlier_answers.push_back(answer);
      } else {
        ticket.satisfaction = answer;
      }
    }
    select_.Reset();
    return absl::OkStatus();
  }

 private:
  Statement select_;
};

// Visits what `select` gives, ticket by ticket.
absl::Status VisitTickets(Database& db, Statement& select,
                          const std::function<void(const Ticket&)>& visit) {
  Answers answers;
  if (auto status = answers.Prepare(db); !status.ok()) return status;
  Ticket ticket;
  const auto finish = [&] {
    if (ticket.events.empty()) return absl::OkStatus();
    if (auto status = answers.Add(ticket); !status.ok()) return status;
    visit(ticket);
    return absl::OkStatus();
  };
  for (;;) {
    const auto row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return finish();
    if (std::string id = select.Text(0); ticket.events.empty() || id != ticket.id) {
      if (auto status = finish(); !status.ok()) return status;
      ticket = Ticket{std::move(id),
                      select.Text(1),
                      select.Text(2),
                      select.Text(3),
                      select.Text(4),
                      select.Text(5),
                      {},
                      std::nullopt,
                      {}};
    }
    ticket.events.push_back(EventOf(select));
  }
}

}  // namespace

absl::Status TicketTables::Prepare(Database& db) {
  const std::pair<Statement*, const char*> statements[] = {
      {&find_,
       "SELECT municipality, kind, priority, service, snapshot_ms FROM tickets WHERE id = ?1"},
      {&put_snapshot_, "UPDATE tickets SET snapshot_ms = ?2 WHERE id = ?1"},
      {&find_told_,
       "SELECT municipality, kind, priority, service FROM ticket_events WHERE ticket_id = ?1 AND "
       "at_ms = ?2 AND (event_key = ?3 OR substr(event_key, 1, length(?3) + 1) = ?3 || '@') "
       "ORDER BY recorded_at_ms, event_key"},
      {&add_,
       "INSERT INTO tickets (id, source, municipality, kind, priority, service, recorded_at_ms) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&add_event_,
       "INSERT INTO ticket_events (ticket_id, at_ms, event_key, status, responded, removed, "
       "municipality, kind, priority, service, source_order, recorded_at_ms) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING"},
      {&reopen_,
       "INSERT INTO ticket_events (ticket_id, at_ms, event_key, status, responded, removed, "
       "municipality, kind, priority, service, source_order, recorded_at_ms) "
       "SELECT r.ticket_id, r.at_ms, 'reopened', 'open', 0, 0, '', '', '', '', "
       "r.source_order + 1, ?3 FROM ticket_events r WHERE r.ticket_id = ?1 AND r.at_ms < ?2 AND "
       "r.status IN ('resolved', 'closed') AND r.removed = 0 AND NOT EXISTS (SELECT 1 FROM "
       "ticket_events l WHERE l.ticket_id = ?1 AND (l.at_ms > r.at_ms OR (l.at_ms = r.at_ms AND "
       "l.source_order > r.source_order)) AND l.at_ms < ?2 AND "
       "l.status NOT IN ('resolved', 'closed')) ON CONFLICT DO NOTHING"},
      {&add_answer_,
       "INSERT INTO ticket_answers (ticket_id, at_ms, score, recorded_at_ms) "
       "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"},
      {&put_cursor_,
       "INSERT INTO ticket_sources (source, mapping, changed_ms, token, succeeded_ms, "
       "rescanned_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (source) DO UPDATE SET "
       "mapping = ?2, changed_ms = ?3, token = ?4, succeeded_ms = ?5, rescanned_ms = ?6"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = db.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status TicketTables::Put(const TicketWrite& ticket, Instant now) {
  find_.Bind(1, ticket.id);
  const auto known = find_.Step();
  if (!known.ok()) return known.status();
  std::vector<TicketEventWrite> events = ticket.events;
  bool newest = true;
  if (*known) {
    newest = !ticket.snapshot || ToUnixMillis(*ticket.snapshot) >= find_.Int(4);
    const auto first =
        std::min_element(events.begin(), events.end(),
                         [](const auto& a, const auto& b) { return a.event.at < b.event.at; });
    if (first != events.end() && !ticket.only_if_known && newest) {
      if (auto status = Restate(ticket, *first, now); !status.ok()) return status;
    }
    find_.Reset();
  } else if (ticket.only_if_known || events.empty()) {
    return absl::OkStatus();
  } else {
    add_.Bind(1, ticket.id);
    add_.Bind(2, ticket.source);
    add_.Bind(3, ticket.municipality);
    add_.Bind(4, ticket.kind);
    add_.Bind(5, ticket.priority);
    add_.Bind(6, ticket.service);
    add_.Bind(7, ToUnixMillis(now));
    if (auto status = add_.Run(); !status.ok()) return status;
  }
  for (const TicketEventWrite& event : events) {
    if (auto status = PutEvent(ticket.id, event, now); !status.ok()) return status;
  }
  if (ticket.snapshot && newest) {
    if (*known && !events.empty()) {
      if (auto status = Reopen(ticket, now); !status.ok()) return status;
    }
    put_snapshot_.Bind(1, ticket.id);
    put_snapshot_.Bind(2, ToUnixMillis(*ticket.snapshot));
    if (auto status = put_snapshot_.Run(); !status.ok()) return status;
  }
  if (!ticket.satisfaction) return absl::OkStatus();
  add_answer_.Bind(1, ticket.id);
  add_answer_.Bind(2, ToUnixMillis(ticket.satisfaction->at));
  add_answer_.Bind(3, static_cast<int64_t>(ticket.satisfaction->score));
  add_answer_.Bind(4, ToUnixMillis(now));
  return add_answer_.Run();
}

// Puts into the first event what is told otherwise now than it was last; `find_` is at the ticket.
absl::Status TicketTables::Restate(const TicketWrite& ticket, TicketEventWrite& first,
                                   Instant now) {
  constexpr std::string TicketEvent::*kFields[] = {&TicketEvent::municipality, &TicketEvent::kind,
                                                   &TicketEvent::priority, &TicketEvent::service};
  const std::string* values[] = {&ticket.municipality, &ticket.kind, &ticket.priority,
                                 &ticket.service};
  std::array<std::string, std::size(kFields)> told;
  for (int i = 0; i < 4; ++i) told[i] = find_.Text(i);
  // Lines of tickets.jsonl say the values at creation; only other sources say anew what they are.
  const bool anew = ticket.snapshot || !first.key.empty();
  if (anew) {
    find_told_.Bind(1, ticket.id);
    find_told_.Bind(2, ToUnixMillis(first.event.at));
    find_told_.Bind(3, first.key);
    for (;;) {
      const auto row = find_told_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      for (int i = 0; i < 4; ++i) {
        if (std::string its = find_told_.Text(i); !its.empty()) told[i] = std::move(its);
      }
    }
    find_told_.Reset();
  }
  bool changed = false;
  for (size_t i = 0; i < told.size(); ++i) {
    std::string& field = first.event.*kFields[i];
    // No event can say that there is no service any more.
    if (values[i]->empty() || *values[i] == told[i] || !field.empty()) continue;
    field = *values[i];
    changed = true;
  }
  // The same may have been told before, and taken back since.
  if (changed && anew) first.key += "@" + std::to_string(ToUnixMillis(now));
  return absl::OkStatus();
}

absl::Status TicketTables::Reopen(const TicketWrite& ticket, Instant now) {
  // Up to the resolution that the source tells now; for ever where it tells none.
  const TicketEvent& last =
      std::max_element(ticket.events.begin(), ticket.events.end(),
                       [](const auto& a, const auto& b) {
                         return std::pair(a.event.at, a.order) < std::pair(b.event.at, b.order);
                       })
          ->event;
  const bool resolved = last.status == "resolved" || last.status == "closed";
  reopen_.Bind(1, ticket.id);
  reopen_.Bind(2, resolved ? ToUnixMillis(last.at) : INT64_MAX);
  reopen_.Bind(3, ToUnixMillis(now));
  return reopen_.Run();
}

absl::Status TicketTables::PutEvent(const std::string& id, const TicketEventWrite& write,
                                    Instant now) {
  const TicketEvent& event = write.event;
  add_event_.Bind(1, id);
  add_event_.Bind(2, ToUnixMillis(event.at));
  add_event_.Bind(3, write.key);
  add_event_.Bind(4, event.status);
  add_event_.Bind(5, static_cast<int64_t>(event.responded));
  add_event_.Bind(6, static_cast<int64_t>(event.removed));
  add_event_.Bind(7, event.municipality);
  add_event_.Bind(8, event.kind);
  add_event_.Bind(9, event.priority);
  add_event_.Bind(10, event.service);
  add_event_.Bind(11, write.order);
  add_event_.Bind(12, ToUnixMillis(now));
  return add_event_.Run();
}

absl::Status TicketTables::PutCursor(const SourceCursor& cursor) {
  put_cursor_.Bind(1, cursor.source);
  put_cursor_.Bind(2, cursor.mapping);
  put_cursor_.Bind(3, ToUnixMillis(cursor.changed));
  put_cursor_.Bind(4, cursor.token);
  put_cursor_.Bind(5, ToUnixMillis(cursor.succeeded));
  put_cursor_.Bind(6, ToUnixMillis(cursor.rescanned));
  return put_cursor_.Run();
}

absl::Status ReadTickets(Database& db, Instant before,
                         const std::function<void(const Ticket&)>& visit) {
  auto select = db.Prepare((std::string(kSelect) + kTouched + kOrder).c_str());
  if (!select.ok()) return select.status();
  select->Bind(1, ToUnixMillis(before));
  return VisitTickets(db, *select, visit);
}

absl::Status ReadTicket(Database& db, const std::string& id, std::optional<Ticket>* found) {
  auto select = db.Prepare((std::string(kSelect) + "WHERE t.id = ?1" + kOrder).c_str());
  if (!select.ok()) return select.status();
  select->Bind(1, id);
  return VisitTickets(db, *select, [&](const Ticket& ticket) { *found = ticket; });
}

absl::StatusOr<std::vector<SourceCursor>> ReadSourceCursors(Database& db) {
  auto select = db.Prepare(
      "SELECT source, mapping, changed_ms, token, succeeded_ms, rescanned_ms FROM ticket_sources "
      "ORDER BY source");
  if (!select.ok()) return select.status();
  std::vector<SourceCursor> cursors;
  for (;;) {
    const auto row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return cursors;
    cursors.push_back({select->Text(0), select->Text(1), FromUnixMillis(select->Int(2)),
                       select->Text(3), FromUnixMillis(select->Int(4)),
                       FromUnixMillis(select->Int(5))});
  }
}

}  // namespace oppetid::collector
