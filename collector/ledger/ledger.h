// The ledger: the collector's only truth. Small interfaces per kind of fact, one transaction type.
//
// A Batch is applied whole or not at all, and durable when Commit returns OK; applying it again
// changes nothing. Every engine must pass tests/contract/ledger_contract.h.
// Threading: Commit belongs to one thread; id(), newest_record() and bytes() may be asked from any;
// OpenReader gives another thread a side of its own. Errors are values; what is already stored is
// never harmed by a failed Commit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/sla/facts.h"
#include "common/instant.h"
#include "common/state.h"

namespace oppetid::collector {

// What is known of a run. Its natural key is (host, check, since, state).
//
// A stored run is one span [since, to), or several pieces end to end: it grows in place only while
// it has not run out by the collector's clock; what is learnt later becomes a piece of its own from
// the old `to`, so that a report as known at an earlier time stays what it was.
struct RunWrite {
  std::string host;
  std::string check;  // the check's own name
  State state = State::kUnknown;
  Instant since;
  Instant to;  // last + valid_for
  // Known before it ran out, only not yet written: grows in place whatever the clock says.
  bool grow_in_place = false;
};

// Time of a check that is lost; its natural key is (host, check, from).
struct GapWrite {
  std::string host;
  std::string check;
  Instant from;
  Instant to;
  std::string reason;
};

// An open run as a restart of the collector needs it.
struct StoredOpenRun {
  std::string check;
  State state = State::kUnknown;
  Instant since;
  Instant last;
  Millis valid_for{};
  std::string text;
};

// Everything about one agent that must outlive a restart; written as one row.
struct AgentRow {
  std::string host;  // unique in a ledger
  std::string municipality;
  Instant last_seen;
  std::string version;
  std::string os;
  Millis interval{};
  std::vector<StoredOpenRun> runs;
  // Where facts were found to be lost with a part of the ledger, and it is not told by a gap yet:
  // the runs that the ledger knew then.
  std::vector<StoredOpenRun> losses;
  std::map<uint64_t, uint64_t> watermarks;  // epoch -> last sequence that is durable
};

// A run of a backup job, or a restore test, that has ended. Its natural key is (host, job,
// restore_test, start); of two with one key the later end counts, then the failure.
struct BackupRunWrite {
  std::string host;
  std::string job;  // its own name
  bool restore_test = false;
  Instant start;
  Instant end;
  bool success = false;
  uint64_t bytes = 0;  // 0 where unknown
  uint64_t files = 0;
};

// One event of a ticket. Its natural key is (ticket, at, key) and everything it says: what a source
// tells otherwise later becomes an event of its own, so that a report as known at an earlier time
// stays what it was.
struct TicketEventWrite {
  TicketEvent event;  // recorded_at is the ledger's to say
  std::string key;    // the source's own id of the event; empty where it has none
  int64_t order = 0;  // in the source, among events of one instant
};

// What a source tells of a ticket: its values at creation, and some or all of its events. Other
// values than those already stored count from the first of these events on.
struct TicketWrite {
  std::string source;
  std::string id;  // unique across sources: a source prefixes it
  std::string municipality, kind, priority, service;
  std::vector<TicketEventWrite> events;
  std::optional<Answer> satisfaction;  // of several the newest counts
  // Where a source knows a ticket only as it is: when it was so. A resolution stored earlier that
  // it no longer tells was undone at some time since: the ticket counts as open from that very
  // resolution on. One from before another that is stored (a file read again) undoes nothing.
  std::optional<Instant> snapshot;
  // Only if the ledger has the ticket already: of one that is gone, nothing else is known.
  bool only_if_known = false;
};

// How far a source of tickets has been read; moves in the transaction that stores what was read.
struct SourceCursor {
  std::string source;
  std::string mapping;  // fingerprint of the configuration that it was read with
  Instant changed;      // everything changed before it has been read
  std::string token;    // the source's own word for the place
  Instant succeeded;    // when it was read last
  Instant rescanned;    // when its open tickets were asked for last
  bool operator==(const SourceCursor&) const = default;
};

// Something that a person decided, as a record of the audit chain: what it means stands in `body`.
struct Act {
  uint64_t number = 0;  // counted from 1, without a hole
  Instant at;           // never before that of the act before
  std::string kind;     // such as agent_invited
  std::string who;      // the user of this machine who did it
  std::string on_behalf_of;
  std::string body;  // a JSON object; never a secret
  std::string hash;  // ChainHash of the act before and of this one
};

// The end of the audit chain; {0, ""} where there is none.
struct ChainHead {
  uint64_t number = 0;
  std::string hash;
};

// SHA-256, as 64 hex digits, over the hash before and every field of `act` but its own hash, each
// as its length in bytes in decimal, a colon, and its bytes (netstrings without the comma).
std::string ChainHash(const std::string& previous, const Act& act);

struct Batch {
  std::vector<RunWrite> runs;  // applied in this order
  std::vector<GapWrite> gaps;
  std::vector<AgentRow> agents;  // each replaces its host's earlier row
  std::vector<BackupRunWrite> backups;
  std::vector<Act> acts;  // must continue the chain, else the batch is refused
  std::vector<TicketWrite> tickets;
  std::vector<SourceCursor> cursors;  // each replaces its source's earlier one
  bool empty() const {
    return runs.empty() && gaps.empty() && agents.empty() && backups.empty() && acts.empty() &&
           tickets.empty() && cursors.empty();
  }
};

// A backup run, and when it was learnt.
struct StoredBackupRun : BackupRunWrite {
  Instant recorded_at;
};

// One piece of a run, or a gap, as the history export shows it.
struct StoredSpan {
  std::string host;
  std::string check;
  State state = State::kUnknown;
  Instant from;
  Instant to;
  Instant recorded_at;
  bool gap = false;
  std::string reason;
};

// Reads a committed state of the ledger.
class LedgerReader {
 public:
  virtual ~LedgerReader() = default;
  virtual absl::StatusOr<std::vector<AgentRow>> Agents() = 0;
  // From now on everything read is of one committed state, that of the first reading.
  virtual absl::Status Freeze() = 0;
  // Every span that touches [from, to), and those of its check that begin after it and before `to`;
  // open runs included, by host, check and from. Pieces that a later run of the same check has
  // overtaken are left out: they decide nothing.
  virtual absl::Status ForEachSpan(Instant from, Instant to,
                                   const std::function<void(const StoredSpan&)>& visit) = 0;
  // As ForEachSpan, every one of a single check.
  virtual absl::Status ForEachSpanOf(const std::string& host, const std::string& check,
                                     const std::function<void(const StoredSpan&)>& visit) = 0;
  // Every backup run, by host, job, kind and start.
  virtual absl::Status ForEachBackupRun(
      const std::function<void(const StoredBackupRun&)>& visit) = 0;
  // Every ticket that something happened to before `before`, by id, with all its events in order.
  virtual absl::Status ForEachTicket(Instant before,
                                     const std::function<void(const Ticket&)>& visit) = 0;
  virtual absl::StatusOr<std::optional<Ticket>> FindTicket(const std::string& id) = 0;
  virtual absl::StatusOr<std::vector<SourceCursor>> SourceCursors() = 0;
  // The acts from `first` on, in their order.
  virtual absl::Status ForEachAct(uint64_t first, const std::function<void(const Act&)>& visit) = 0;
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  // Stores all of it, recorded at `now`, or nothing.
  virtual absl::Status Commit(const Batch& batch, Instant now) = 0;
  // Random, made with the ledger; 32 hex digits.
  virtual const std::string& id() const = 0;
  // The newest recorded_at in it; a collector whose clock is behind this is not ready.
  virtual Instant newest_record() const = 0;
  virtual uint64_t bytes() const = 0;
  // The end of the audit chain. Of the thread that commits.
  virtual const ChainHead& chain_head() const = 0;
  virtual absl::StatusOr<std::unique_ptr<LedgerReader>> OpenReader() const = 0;
};

}  // namespace oppetid::collector
