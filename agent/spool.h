// The agent's memory of facts: durable, numbered, bounded, until the collector has them.
//
// Facts are appended in batches (one sync each) to segments of about `segment_bytes` in the
// agent's spool directory, and read back from there to be sent, so memory stays small however long
// the network is away. Room for a whole segment is set aside when it begins, and for one more
// beside it, so that a disk that fills up is met between segments and there is room left to tell
// what had to go.
// Numbers count within an epoch; an epoch is random and new at every start and after a failed write
// or sync, because then nobody knows what the disk kept.
// Acked facts stay until they are older than `retain` or the size bound needs their place, so that
// a collector restored from a backup can have them again. When unacked facts must go (the bound is
// reached), each lost run becomes a Gap (many share one), which are facts themselves and durable
// before what they stand for is gone, unless the disk has no room for both; so does the time that
// damaged records may have spoken of (agent/holes.h), and nothing after a hole is sent before that
// is durable.
//
// Threading: one thread. The disk must outlive the spool.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/holes.h"
#include "agent/lost_runs.h"
#include "common/file.h"
#include "common/instant.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

struct SpoolOptions {
  int64_t limit_bytes = 256'000'000;
  Millis retain{14LL * 86'400'000};
  // Small enough to read whole when sending, large enough that a week needs few files.
  uint64_t segment_bytes = 256'000;
};

struct SpoolStats {
  uint64_t unacked_facts = 0;
  uint64_t bytes = 0;
  uint64_t gap_ms = 0;        // reported as lost since the start
  uint64_t acks_refused = 0;  // that spoke of facts which were never sent
};

class Spool {
 public:
  using Random = std::function<uint64_t()>;

  // Reads the index of what is there. Damage is survived: what can be read will be sent, and the
  // numbers of the rest as Lost once Repair has made gaps of it. Fails only if the directory itself
  // cannot be read.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(Disk& disk, SpoolOptions options,
                                                     Random random);

  // Whether something could not be read, and Repair must find out what it may have cost.
  bool needs_repair() const { return needs_repair_; }
  // `newest` are the runs after the spool's newest: those now open, or left open by an earlier
  // start; `hole_before` if some of them could not be read either. The gaps become durable with the
  // next Append.
  void Repair(const std::vector<v1::Fact>& newest, bool hole_before,
              const std::vector<std::string>& checks, Instant now);

  // Appends facts durably, and the gaps that wait. On failure nothing of the batch counts as
  // stored, a new epoch begins, and the caller keeps the facts.
  absl::Status Append(const std::vector<v1::Fact>& facts, Instant now);
  // Whether gaps wait for an Append.
  bool gaps_wait() const { return !lost_.empty() || !holes_.empty(); }

  // A fact that the caller could not keep: its time becomes a Gap with the next Append.
  void NoteLost(const v1::Fact& fact);
  // Whether this backup run is known to have been appended, also by an earlier start.
  bool Knows(const v1::BackupRun& run) const { return backups_.contains(KeyOf(run)); }

  // What is in the spool, oldest epoch first, the current one included last; before them those of
  // which nothing is left but that they were acked.
  std::vector<v1::EpochRange> Epochs() const;

  // A collector has said what it has. Sending starts over after that.
  void OnWelcome(const v1::Welcome& welcome);
  // The next facts to send, in order; nullopt when all have been sent.
  std::optional<v1::Facts> NextFrame(size_t max_facts);
  void OnAck(uint64_t epoch, uint64_t last_sequence);
  // Writes down what is acked, if that has changed: after a restart, facts that were delivered are
  // not taken for lost. A lag costs nothing but precision.
  void SaveAcked();

  // Removes what is acked and older than `retain`.
  void Trim(Instant now);

  SpoolStats stats() const;
  // The ledger that acked last; empty before the first Welcome.
  const std::string& ledger_id() const { return ledger_id_; }

 private:
  using BackupKey = std::tuple<std::string, int, int64_t>;  // job, kind, start
  struct Segment {
    std::string name;
    uint64_t epoch = 0;
    uint64_t first = 0;  // sequence of the oldest record
    uint64_t next = 0;   // one past the newest
    uint64_t bytes = 0;
    Instant newest;  // latest instant in it
  };
  using Facts = std::vector<std::pair<uint64_t, v1::Fact>>;

  Spool(Disk& disk, SpoolOptions options, Random random);
  static BackupKey KeyOf(const v1::BackupRun& run);
  absl::Status Load();
  void LoadAcked();
  void LoadSegment(const std::string& name, uint64_t epoch);
  // Whether what stands in the file is durable now.
  bool Settle(const std::string& name);
  void KeepReserve();
  absl::Status StartSegment();
  absl::Status CreateSegment(const std::string& name);
  absl::Status Write(const std::vector<v1::Fact>& batch);
  void Remember(const v1::Fact& fact);
  void NewEpoch();
  uint64_t AckedOf(uint64_t epoch) const;
  // The facts of a segment that can be read, with their sequences; an error when the disk does not
  // give the file at all, which may pass.
  absl::StatusOr<Facts> ReadFacts(const Segment& segment);
  // Makes room by dropping the oldest segments; notes in `lost_` what was not acked.
  void MakeRoom();
  void DropOldest();
  bool HasUnknownHole(const Segment& segment);
  std::vector<v1::Fact> Gaps() const;
  void GapsStored();
  void RemoveSegment(size_t index);
  // Takes a segment off the list, not off the disk; returns its file.
  std::string TakeOut(size_t index);
  void RemoveDoomed();
  void RemoveFile(const std::string& name);
  // The records of a segment that are missing, passed to `holes` in their order.
  void PassOver(const Segment& segment, Holes* holes);

  Disk& disk_;
  SpoolOptions options_;
  Random random_;
  std::string ledger_id_;
  std::vector<Segment> segments_;  // in the order of writing
  std::map<uint64_t, uint64_t> acked_;
  // Epochs of which nothing is left, oldest first, and how far they were acked; bounded.
  std::deque<std::pair<uint64_t, uint64_t>> gone_;
  bool acked_changed_ = false;
  uint64_t acks_refused_ = 0;
  uint64_t epoch_ = 0;
  uint64_t next_sequence_ = 1;
  std::unique_ptr<AppendFile> file_;  // of segments_.back(), if it may grow
  bool reserve_ = false;              // room for one more segment is set aside
  LostRuns lost_;                     // until the gaps for them are durable
  // Files of segments that had to go; they stay until those gaps are durable.
  std::vector<std::string> doomed_;
  std::vector<LostTime> holes_;  // the same for damage
  bool needs_repair_ = false;
  std::set<std::pair<uint64_t, uint64_t>> known_holes_;  // (epoch, sequence) that Repair has seen
  std::vector<std::string> unreadable_;                  // files of which nothing can be read
  std::vector<std::string> unreadable_told_;             // until their gaps are durable
  uint64_t gap_ms_ = 0;
  uint64_t file_number_ = 0;
  // Backup runs in the spool, and in which order they came; bounded.
  std::set<BackupKey> backups_;
  std::deque<BackupKey> backup_order_;

  // Sending: the segment read last, and how far sending has come in each epoch.
  std::map<uint64_t, uint64_t> sent_;
  int read_failures_ = 0;  // in a row
  std::string cached_name_;
  uint64_t cached_bytes_ = 0;
  Facts cached_;
};

// The time a fact speaks of, as [from, to).
std::pair<Instant, Instant> FactRange(const v1::Fact& fact);
// Its check; empty for a backup run.
const std::string& FactCheck(const v1::Fact& fact);

}  // namespace oppetid::agent
