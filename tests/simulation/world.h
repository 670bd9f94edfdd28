// A made world of agents and one collector: their clocks, disks and network, and what goes wrong,
// all from one seed. The programs' cores are the real ones.
//
// Not thread-safe. A world is used once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/agent_actor.h"
#include "tests/simulation/collector_actor.h"
#include "tests/simulation/seams.h"

namespace oppetid::simulation {

// 2026-07-03T10:00:00Z; an hour is measured, then everything heals.
inline constexpr int64_t kBeginMs = 1'783'072'800'000;
inline constexpr int64_t kHourMs = 3'600'000;

// Which kinds of faults a seed brings; about half of them, so that each is also met without the
// others.
struct Plan {
  uint64_t seed = 0;
  bool network = false;       // loss, duplication, delay, old streams that go on, partitions
  bool kills = false;         // agents, between any two calls through a seam, with or without power
  bool crashes = false;       // the collector, likewise
  bool disk = false;          // agents' disks fail, or are full
  bool ledger_disk = false;   // the ledger's disk fails, or a commit hangs
  bool clocks = false;        // agents' clocks are set, the collector's a little
  bool damage = false;        // bytes of the spool flip
  bool agent_images = false;  // a spool directory comes back as it was
  bool ledger_images = false;  // the ledger comes back as it was, or another takes its place
  bool small_spool = false;    // too small for the longest outage
  bool short_retain = false;   // acked facts are soon gone

  static Plan Of(uint64_t seed);
  // Whether time may be lost so that a gap must say so; else there must be no gap at all.
  bool MayLose() const { return disk || clocks || damage || small_spool || ledger_images; }
  std::string Text() const;
};

struct Stats {
  uint64_t observations = 0, facts = 0, kills = 0, crashes = 0, restores = 0;
  uint64_t streams = 0, frames = 0, gaps = 0, backups = 0;
  void Add(const Stats& other);
};

// One stream between an agent and the collector.
struct Stream {
  uint64_t id = 0;
  size_t agent = 0;
  uint64_t life = 0;  // of the agent
  uint64_t collector_life = 0;
  collector::Hub::SessionId session = 0;  // 0 before it is open there
  bool agent_listens = true;
  bool ended = false;                             // for the collector
  bool welcomed = false;                          // the agent has its Welcome
  bool cut = false;                               // nothing arrives any more
  int64_t up_free = 0, down_free = 0;             // frames keep their order
  int64_t first_snapshot = -1, first_facts = -1;  // when the collector got them
  v1::Hello hello;
};

// How a life of an agent ended.
enum class End { kKilled, kKilledInCall, kStopped };

class World {
 public:
  World(Plan plan, bool trace, size_t agents = 5);

  // Starts everything, without faults; for tests that drive a world themselves.
  void Start();
  // The hour, the healing, the quiet; afterwards the oracle may look.
  void Run();
  // Everything that agents still keep goes to a ledger that knows nothing; returns its image.
  std::shared_ptr<LedgerImage> SendAllAgain(uint64_t seed);

  // What is wrong; empty if nothing is.
  const std::vector<std::string>& failures() const { return failures_; }
  void Fail(const std::string& what);
  void Trace(const std::string& what);

  // The network.
  std::shared_ptr<Stream> Open(size_t agent, uint64_t life);
  void Up(const std::shared_ptr<Stream>& stream, const v1::AgentFrame& frame);
  void Down(const std::shared_ptr<Stream>& stream, const v1::CollectorFrame& frame);
  // One side is gone; the other learns it after `ms`.
  void TellAgent(const std::shared_ptr<Stream>& stream, int64_t ms, const std::string& why);
  void TellCollector(const std::shared_ptr<Stream>& stream, int64_t ms);
  void CutAll();

  // After something was destroyed: what the remaining copies know becomes what must be kept; what
  // should have survived is a failure (tests/simulation/audit.cc).
  void AuditKill(AgentActor& agent, End end);
  void AuditRestore(AgentActor& agent);
  // Before an agent removes a file: of what stands in it alone, it may remove what is acked and old
  // enough, or what it owes a gap for.
  void AuditRemoval(AgentActor& agent, const std::string& file);
  // Before an agent overwrites its record of open runs: what stood in that alone must have been
  // told, or be told by the next.
  void AuditRecord(AgentActor& agent, const std::string& record, const DiskFacts& gone);
  // Forgets debts that are paid: the fact is durable after all, or its gap is.
  void SettleDebts(AgentActor& agent);
  void AuditDamage(AgentActor& agent, const DiskFacts& before);
  // The ledger now passes by a fact that came when it spoke of the future.
  void AuditRefusal(const std::string& host, const v1::Fact& fact, int64_t came);

  Plan plan;
  Scheduler scheduler;
  Dice dice;
  Stats stats;
  bool quiet = false;  // no attempt is answered any more
  std::unique_ptr<CollectorActor> collector;
  std::vector<std::unique_ptr<AgentActor>> agents;
  std::map<size_t, int64_t> partitioned_until;  // by agent

 private:
  int64_t Delay();
  void TraceFrame(const Stream& stream, const char* way, const google::protobuf::Message& frame);
  void RemoveRun(AgentActor& agent, const v1::ClosedRun& fact, bool acked, const DiskFacts& others);
  // Until nothing waits to be delivered; false if that does not come about.
  bool Drain();

  bool trace_;
  bool healed_ = false;
  std::shared_ptr<void> faults_;  // what they end may lie beyond Run
  uint64_t next_stream_ = 1;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::string> failures_;
};

}  // namespace oppetid::simulation
