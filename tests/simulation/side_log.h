// What really was: every attempt of one agent, written down outside of it, and the runs that the
// rules make of them. Written anew from the rules (ARCHITECTURE.md, "Runs and spans"), sharing no
// code with the agent.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "common/state.h"

namespace oppetid::simulation {

struct TruthRun {
  State state = State::kUnknown;
  int64_t since = 0, last = 0, valid_for = 0;
  std::vector<std::pair<int64_t, int64_t>> seen;  // (true time, instant), in order
  bool open = true;
  uint64_t closed_in = 0;  // the call into the agent that closed it
  uint64_t seen_in = 0;    // the call that brought its newest observation
  // The last instant of it that a ledger has refused as from the future, durably; -1: none.
  int64_t refused = -1;
  // A flipped bit has taken it, or a part of it, from the agent's disk: its last instant that the
  // disk still knew then; -1: none. The disk may know it again, put back as it was before.
  std::optional<int64_t> damaged;
  // It had to go from a full spool, before the agent knew it to be acked.
  bool dropped = false;
  // It had to go from a full spool, and a gap stood for it when it went.
  bool given_up = false;
  // The agent has removed it, as acked, and the ledger that had it was replaced.
  bool trimmed = false;
  bool destroyed = false;
  // The last instant that some copy still knew when copies were last destroyed; what must be in the
  // ledger, or in a gap, at the end. Nothing yet while the agent lives: then all of it must.
  std::optional<int64_t> floor;

  int64_t to() const { return last + valid_for; }
  int64_t must() const { return floor.value_or(last); }  // -1: nothing
};

struct TruthBackup {
  int64_t end = 0;
  bool success = false;
  uint64_t told_in = 0;  // the call that told it first
  bool must = true;      // be in the ledger at the end
};

struct TruthCheck {
  int confirm = 0;
  int64_t valid_for = 0;
  std::vector<TruthRun> runs;
  // Of the confirmation.
  State current = State::kUnknown;
  std::optional<int64_t> failing_since;
  int rechecks_left = 0;

  TruthRun* open() { return !runs.empty() && runs.back().open ? &runs.back() : nullptr; }
};

class SideLog {
 public:
  void AddCheck(const std::string& name, int confirm, int64_t valid_for);

  // An attempt that started at `started` by the agent's clock ends in call `call`.
  void Attempt(const std::string& check, State state, int64_t started, int64_t now, uint64_t call);
  void Expire(int64_t wall, uint64_t call);
  // The clock was set.
  void Step(uint64_t call);
  // The agent is gone; another start begins anew.
  void Gone();

  std::map<std::string, TruthCheck> checks;
  std::map<std::tuple<std::string, int, int64_t>, TruthBackup> backups;  // job, wire's kind, start
  uint64_t observations = 0;
  std::vector<int64_t> heard_ahead;  // when, by its own clock, the collector heard of one ahead
};

}  // namespace oppetid::simulation
