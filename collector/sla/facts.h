// What happened, as the ledger or an export tells it: spans, backup runs, maintenance,
// corrections, revocations, tickets.
//
// Values without behaviour. `recorded_at` is always filled in: where a source gives none, its
// reader puts the default of the definitions there. Facts may stand in any order and twice.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/sla/intervals.h"
#include "common/state.h"

namespace oppetid::collector {

// A check was in one state; a gap is a span of state unknown.
struct Span {
  Instant from;  // before `to`
  Instant to;
  Instant recorded_at;  // default: from
  State state = State::kUnknown;
};

struct BackupRun {
  Instant start;
  Instant end;
  Instant recorded_at;  // default: end
  bool restore_test = false;
  bool success = false;
};

// Names, or all of them.
struct Scope {
  bool all = false;
  std::vector<std::string> names;
  bool Covers(const std::string& name) const;
  bool operator==(const Scope&) const = default;
};

struct Maintenance {
  std::string id;
  Scope services;
  Scope municipalities;
  Interval when;  // may be empty
  Instant announced_at;
  Instant recorded_at;  // default: announced_at
  std::string by;
  std::string reason;
  bool operator==(const Maintenance&) const = default;
};

enum class Override { kNone, kUp, kDown, kExcluded };

struct Correction {
  std::string id;
  Scope services;
  Scope municipalities;
  Interval when;  // may be empty
  Override as = Override::kNone;
  Instant recorded_at;
  std::string by;
  std::string reason;
  bool operator==(const Correction&) const = default;
};

struct Revocation {
  std::string revokes;  // the id of a correction or a maintenance window
  Instant recorded_at;
  std::string by;
  std::string reason;
};

struct TicketEvent {
  Instant at;
  Instant recorded_at;  // default: at
  std::string status;
  bool responded = false;
  bool removed = false;
  std::string municipality, kind, priority, service;  // what changes; empty where nothing does
  bool operator==(const TicketEvent&) const = default;
};

struct Answer {
  int score = 0;  // 1 to 5
  Instant at;
  Instant recorded_at;  // default: at
  bool operator==(const Answer&) const = default;
};

struct Ticket {
  std::string id;
  std::string source;
  std::string municipality, kind, priority, service;  // at its creation
  std::vector<TicketEvent> events;                    // in the source's order
  std::optional<Answer> satisfaction;
  std::vector<Answer> earlier_answers;  // which that one replaced
  bool operator==(const Ticket&) const = default;
};

struct Facts {
  std::map<std::string, std::vector<Span>, std::less<>> spans;             // by check
  std::map<std::pair<std::string, Instant>, std::string> gaps;             // why, by check and from
  std::map<std::string, std::vector<BackupRun>, std::less<>> backup_runs;  // by job
  std::map<std::string, Maintenance, std::less<>> maintenance;             // by id
  std::map<std::string, Correction, std::less<>> corrections;              // by id
  std::vector<Revocation> revocations;
  std::map<std::string, Ticket, std::less<>> tickets;  // by id
};

// The instant as known at which everything is computed; nullopt: all facts count.
using AsKnownAt = std::optional<Instant>;

inline bool Known(Instant recorded_at, AsKnownAt as_known_at) {
  return !as_known_at || recorded_at <= *as_known_at;
}

}  // namespace oppetid::collector
