// All that the collector holds in memory about one agent, and how frames change it.
//
// Frames come in; what must become durable goes into a Batch; the present goes into views. Nothing
// here waits. Applying anything twice changes nothing.
// Threading: one thread; the views it makes may be read from any.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/counters.h"
#include "collector/dictionary.h"
#include "collector/ledger/ledger.h"
#include "collector/view.h"
#include "common/clock.h"
#include "common/identity.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::collector {

class AgentState {
 public:
  AgentState(std::string municipality, std::string host, Counters& counters);
  // As an earlier run of the collector left it.
  AgentState(const AgentRow& row, Counters& counters);

  // What is wrong with a Hello, or kAccepted.
  static Reason Validate(const v1::Hello& hello);
  // A new stream begins. Checks that are gone end here.
  void OnHello(const v1::Hello& hello, const Peer& peer, Instant now, Batch* batch);
  // The durable watermarks of the epochs that a Hello names. Facts that its spool no longer has are
  // passed by; if a ledger had acked them and this one has them not, their time becomes a gap.
  std::vector<v1::Watermark> Watermarks(const v1::Hello& hello);
  // A commit has stored this row.
  void Stored(const AgentRow& row) { durable_ = row.watermarks; }

  void OnSnapshot(const v1::Snapshot& snapshot, Instant now, Batch* batch);
  // Applies numbered facts in order. An accepted frame moves the watermark; `*refused` counts facts
  // that were refused for their content, for each of which a gap is stored as far as it can be.
  Reason OnFacts(const v1::Facts& facts, Instant now, Batch* batch, uint32_t* refused);

  // A frame came, whatever its content.
  void Seen(Instant now, Steady steady);
  // While its clock is further ahead than is believed, nothing of it is stored.
  bool clock_ahead() const { return clock_ahead_since_.has_value(); }
  void set_connected(bool connected) { connected_ = connected; }
  void set_duplicate(bool duplicate) { duplicate_ = duplicate; }

  // 2 intervals + 5 s: how long an agent counts as up after a frame.
  Millis UpFor() const { return 2 * interval_ + Millis(5'000); }
  // Whether it is up; nothing while that cannot be known yet, shortly after `started`.
  std::optional<bool> Up(Steady now, Steady started) const;

  AgentRow Row() const;
  // Whether the ledger's row lags; and whether runs were written or the watermark moved, so that
  // the row must go into the very transaction that stores them: after a restart, or a restore, the
  // row is all that is known, and a gap begins where it ends.
  bool dirty() const { return dirty_; }
  bool row_due() const { return row_due_; }
  void set_clean() { dirty_ = row_due_ = false; }
  std::shared_ptr<const AgentView> MakeView(Instant now, Steady steady, Steady started) const;

  const std::string& municipality() const { return municipality_; }
  const std::string& host() const { return host_; }
  bool HasCheck(const std::string& check) const { return checks_by_name_.count(check) > 0; }
  size_t series() const { return dictionary_ ? dictionary_->size() : 0; }

 private:
  // A check's newest run. It counts until it runs out, also after it was closed.
  struct CurrentRun {
    State state = State::kUnknown;
    Instant since, last;
    Millis valid_for{};
    bool open = true;
    std::string text;
    int64_t duration_us = 0;
    uint64_t unconfirmed_total = 0;
    Instant to() const { return last + valid_for; }
    StoredOpenRun Stored(const std::string& check) const {
      return {check, state, since, last, valid_for, text};
    }
  };
  struct Check {
    std::string name;
    Millis valid_for{};
    std::optional<CurrentRun> run;
    std::shared_ptr<const SampleBlock> samples;
  };

  // What facts that are gone may have told of a check: it follows `known`, and ends where the first
  // run of it that is left begins, once that has come.
  struct Loss {
    CurrentRun known;
    std::optional<Instant> until;
    std::vector<std::pair<Instant, Instant>> told;  // gaps that came before that run, within it
  };

  void TakeClock(int64_t theirs_ms, Instant now, Batch* batch);
  // Facts that were acked are gone (a ledger restored from a backup). The runs of a check follow
  // each other and the oldest went first, so each check has lost at most the time between what the
  // ledger knows and the first run of it that is still there.
  void BeginLoss();
  // Such a first run: a gap before it, unless it is the very run the ledger knows.
  void SurvivedLoss(const std::string& check, State state, Instant since, Batch* batch);
  // Once everything that is still there has come, what remains has no such run.
  void EndLoss(Instant now, Batch* batch);
  void ApplyRun(const v1::OpenRun& run, Instant now, Batch* batch);
  void ApplySamples(const v1::SampleSet& set, Instant now);
  void ApplyClosed(const v1::ClosedRun& closed, Instant now, Batch* batch);
  Reason ApplyFact(const v1::Fact& fact, Instant now, Batch* batch);
  void GapInstead(const v1::Fact& fact, Reason reason, Instant now, Batch* batch);
  // Stores a gap. Where it begins within a loss it cuts the gap for that, which never comes back:
  // what follows it is told by one more.
  void WriteGap(GapWrite gap, Batch* batch);
  // Writes what memory knows of a run beyond the ledger.
  void WriteRun(const Check& check, bool grow_in_place, Batch* batch);
  CheckView ViewOf(const Check& check, Instant now) const;

  std::string municipality_, host_;
  Counters& counters_;
  std::string version_, os_;
  Millis interval_{15'000};
  std::vector<Check> checks_;
  std::map<std::string, size_t> checks_by_name_;
  std::map<uint64_t, uint64_t> watermarks_;  // what was taken in
  std::map<uint64_t, uint64_t> durable_;     // what a commit has stored; never ahead of the former
  std::unique_ptr<Dictionary> dictionary_;
  std::optional<Instant> last_seen_;
  std::optional<Steady> last_frame_;  // of this run of the collector
  std::optional<Instant> certificate_expires_;
  int64_t clock_offset_ms_ = 0;
  uint64_t spool_facts_ = 0, spool_bytes_ = 0, gap_ms_ = 0, gaps_ = 0;
  bool connected_ = false;
  bool duplicate_ = false;
  bool snapshot_seen_ = false;  // on this stream
  std::optional<Instant> clock_ahead_since_;
  // By check, from when facts were found to be lost until all that is left has come. The row keeps
  // what is not told yet: it has the new watermarks, which say nothing of a loss any more.
  std::map<std::string, Loss> lost_;
  std::map<uint64_t, uint64_t> lost_until_;  // by epoch, the last fact that is still to come
  bool dirty_ = false;
  bool row_due_ = false;
};

}  // namespace oppetid::collector
