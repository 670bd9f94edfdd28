// The agent without its edges: everything that decides, nothing that waits.
//
// Attempts go in, facts go to the spool, frames go to the link; time comes in with every call. The
// composition root drives it with real sensors, timers and gRPC, a simulation with made ones.
// Threading: one thread. Disk and link must outlive the core.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/confirmation.h"
#include "agent/newest.h"
#include "agent/runs.h"
#include "agent/schedule.h"
#include "agent/spool.h"
#include "agent/uplink.h"

namespace oppetid::agent {

// A check as the core knows it; its sensor is the edge's business.
struct CheckSpec {
  std::string name;
  std::string sensor;
  Millis every{};
  Millis deadline{};
  int confirm = 3;
  Millis valid_for{};
};

struct CoreOptions {
  std::string version;
  std::string os;
  std::string boot_id;
  // Salt of the schedule's offsets: the machine's name, so that a fleet does not beat in step.
  std::string machine;
  std::vector<std::string> collectors;
  Millis interval{};
  SpoolOptions spool;
  std::vector<CheckSpec> checks;
  std::function<void(v1::Hello*)> add_to_hello;  // what the edge knows; may be empty
};

// One attempt at a check, as the edge measured it.
struct Attempt {
  size_t check = 0;
  uint64_t generation = 0;  // of the clock, as Ask() was given it
  Instant started;
  std::chrono::microseconds duration{};
  Answer answer;
};

class Core : public FrameSource {
 public:
  using Random = std::function<uint64_t()>;

  // Opens the spool and closes the runs that an earlier start left open, as they stood on disk.
  static absl::StatusOr<std::unique_ptr<Core>> Start(CoreOptions options, Disk& disk, Link& link,
                                                     Random random, Instant wall, Steady now);

  // What is due: the checks to be asked now, none of which is under way. Each must be answered by
  // one OnAttempt with the generation that clock_generation() gives now.
  std::vector<size_t> Tick(Instant wall, Steady now);
  void OnAttempt(Attempt attempt, Instant wall, Steady now);
  // When the next Tick is needed, if nothing happens before.
  Steady Next() const;
  uint64_t clock_generation() const { return clock_generation_; }

  // Makes open runs durable and ends the stream. No call but the link's OnClosed may follow.
  void Stop(Instant wall);

  Uplink& uplink() { return uplink_; }
  const Uplink& uplink() const { return uplink_; }
  const Spool& spool() const { return *spool_; }
  // Facts that wait for the disk.
  size_t unspooled() const { return unspooled_.size(); }

  void FillHello(v1::Hello* hello) override;
  void StartStream(const v1::Limits& limits) override;
  void FillSnapshot(v1::Snapshot* snapshot) override;
  void OnCheckNow(const std::string& check) override;

 private:
  struct CheckState {
    explicit CheckState(int confirm) : confirmation(confirm) {}
    Confirmation confirmation;
    std::optional<Steady> ask_at;  // a re-check, or somebody's wish
    bool under_way = false;
    std::string text;  // of the newest observation
    std::chrono::microseconds duration{};
  };

  Core(CoreOptions options, Disk& disk, Link& link, Random random, std::unique_ptr<Spool> spool,
       Instant wall, Steady now);
  absl::Status CloseLeftOver(Instant wall, Steady now);
  void DetectClockStep(Instant wall, Steady now);
  // Moves closed runs to the spool and open ones to their record.
  void Persist(Instant wall, Steady now);
  void SaveOpenRuns(Steady now);
  void Keep(v1::Fact fact);
  void KeepBackup(const BackupRun& run);
  // Tells the spool what is known beside it, so that damage becomes gaps.
  void Repair(Instant wall, bool hole_before);
  void SpoolClosed(Instant wall, Steady now);

  CoreOptions options_;
  Disk& disk_;
  std::unique_ptr<Spool> spool_;
  Schedule schedule_;
  Runs runs_;
  Newest newest_;
  Uplink uplink_;
  std::vector<CheckState> checks_;

  std::deque<v1::Fact> unspooled_;  // closed runs that the disk refused so far; bounded
  uint64_t facts_lost_ = 0;
  bool disk_failing_ = false;
  bool open_runs_failing_ = false;
  bool left_out_told_ = false;
  Steady spool_again_at_{};  // not before, after the disk refused
  Steady save_open_at_{};
  std::optional<std::pair<Instant, Steady>> clocks_;  // as last seen together
  uint64_t clock_generation_ = 0;
};

}  // namespace oppetid::agent
