// One agent of the simulation: a real Core with a clock, a disk and a link of the world's making.
//
// It asks when the core says so, answers for the sensors, and writes everything down in its side
// log. Not thread-safe; the world outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core.h"
#include "tests/simulation/seams.h"
#include "tests/simulation/side_log.h"
#include "tests/simulation/sim_disk.h"

namespace oppetid::simulation {

class World;
struct Stream;

// A fact that must be somewhere, or else inside a gap.
struct Debt {
  std::string check;
  std::optional<FactKey> run;  // none: it was a gap
  int64_t last = 0;            // of the run
  int64_t from = 0, to = 0;    // of the gap that may stand for it
};

class AgentActor : public agent::Link {
 public:
  AgentActor(World& world, size_t index);

  void Start();
  // Killed, or the power is gone; what was not synced may be torn then.
  void Die(bool power, bool in_call);
  void Stop();  // as systemd does
  void SetClock(int64_t by);
  // Events of the link.
  void OnFrame(const std::shared_ptr<Stream>& stream, const v1::CollectorFrame& frame);
  void OnClosed(const std::shared_ptr<Stream>& stream, const std::string& why);

  // The core's side of the link.
  void Open(const std::string& address) override;
  void Send(const v1::AgentFrame& frame) override;
  void Close() override;

  bool alive() const { return core_ != nullptr; }
  bool idle() const;  // connected, and everything is acked
  std::string name() const { return options_.machine; }
  int64_t wall() const;
  int64_t offset() const { return offset_; }
  Millis interval() const { return options_.interval; }
  uint64_t life() const { return life_; }
  uint64_t call() const { return call_; }
  const agent::Core* core() const { return core_.get(); }
  const std::shared_ptr<Stream>& stream() const { return stream_; }
  // Whether its own clock was ever set.
  bool clock_touched() const { return clock_touched_; }
  Millis retain() const { return options_.spool.retain; }
  // Whether it may think that this fact is acked: what collectors told it since the start, and what
  // it had written down before.
  bool Acked(uint64_t epoch, uint64_t sequence) const;

  Fuse fuse;
  SimDisk disk;
  SideLog log;
  bool damaged = false;   // a bit of its disk has flipped
  bool restored = false;  // its disk was once as it had been before
  // What it has removed that nobody had acked, until a gap for it is durable.
  std::vector<Debt> debts;

 private:
  struct Target {
    State state = State::kOk;
    int64_t next_change = 0;
  };
  struct Job {
    int64_t next_start = 0;
    std::vector<agent::BackupRun> runs;
  };
  void Call(const std::function<void(agent::Core&)>& f);
  void Rearm();
  void Wake();
  void Ask(size_t check);
  void Answered(agent::Attempt attempt, uint64_t steps);
  State StateNow(size_t check);
  std::vector<agent::BackupRun> BackupRuns();
  Instant Wall() const;
  Steady Now() const;

  World& world_;
  size_t index_;
  Dice dice_;
  agent::CoreOptions options_;
  std::unique_ptr<agent::Core> core_;
  uint64_t life_ = 0;   // counts starts
  uint64_t call_ = 0;   // counts calls into the core
  uint64_t armed_ = 0;  // the newest wake-up; older ones mean nothing
  int64_t offset_ = 0;
  uint64_t steps_ = 0;  // of the clock
  bool clock_touched_ = false;
  std::map<uint64_t, uint64_t> acked_;  // by epoch
  std::vector<Target> targets_;
  Job job_;
  std::shared_ptr<Stream> stream_;
};

}  // namespace oppetid::simulation
