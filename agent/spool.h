// The agent's memory of facts: durable, numbered, bounded, until the collector has them.
//
// Facts are appended in batches (one sync each) to segments of at most `kSegmentBytes` in the
// agent's spool directory, and read back from there to be sent, so memory stays small however long
// the network is away. Numbers count within an epoch; an epoch is random and new at every start and
// after a failed write or sync, because then nobody knows what the disk kept.
// Acked facts stay until they are older than `retain` or the size bound needs their place, so that
// a collector restored from a backup can have them again. When unacked facts must go (the bound is
// reached), each check's lost time becomes a Gap, which is a fact itself.
//
// Threading: one thread. The disk must outlive the spool.
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
#include "common/file.h"
#include "common/instant.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

struct SpoolOptions {
  int64_t limit_bytes = 256'000'000;
  Millis retain{14LL * 86'400'000};
};

struct SpoolStats {
  uint64_t unacked_facts = 0;
  uint64_t bytes = 0;
  uint64_t gap_ms = 0;  // reported as lost since the start
};

class Spool {
 public:
  using Random = std::function<uint64_t()>;

  // Reads the index of what is there. Damage is survived: what can be read will be sent, and the
  // numbers of the rest as Lost; its time is unknown, as all that nobody has measured. Fails only
  // if the directory itself cannot be read.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(Disk& disk, SpoolOptions options,
                                                     Random random);

  // Appends facts durably. On failure nothing of the batch counts as stored, a new epoch begins,
  // and the caller keeps the facts.
  absl::Status Append(const std::vector<v1::Fact>& facts, Instant now);

  // A fact that the caller could not keep: its time becomes a Gap with the next Append.
  void NoteLost(const v1::Fact& fact);

  // What is in the spool, oldest epoch first, the current one included.
  std::vector<v1::EpochRange> Epochs() const;

  // A collector has said what it has. Sending starts over after that.
  void OnWelcome(const v1::Welcome& welcome);
  // The next facts to send, in order; nullopt when all have been sent.
  std::optional<v1::Facts> NextFrame(size_t max_facts);
  void OnAck(uint64_t epoch, uint64_t last_sequence);

  // Removes what is acked and older than `retain`.
  void Trim(Instant now);

  SpoolStats stats() const;
  // The ledger that acked last; empty before the first Welcome.
  const std::string& ledger_id() const { return ledger_id_; }

 private:
  struct Segment {
    std::string name;
    uint64_t epoch = 0;
    uint64_t first = 0;  // sequence of the oldest record
    uint64_t next = 0;   // one past the newest
    uint64_t bytes = 0;
    Instant newest;  // latest instant in it
    bool damaged = false;
  };

  Spool(Disk& disk, SpoolOptions options, Random random);
  absl::Status Load();
  absl::Status StartSegment();
  void NewEpoch();
  uint64_t AckedOf(uint64_t epoch) const;
  // The facts of a segment that can be read, with their sequences; an error when the disk does not
  // give the file at all, which may pass.
  absl::StatusOr<std::vector<std::pair<uint64_t, v1::Fact>>> ReadFacts(const Segment& segment);
  // Makes room by dropping the oldest segments; notes in `lost_` what was not acked.
  void MakeRoom();
  std::vector<v1::Fact> Gaps() const;
  void RemoveSegment(size_t index);
  void RemoveFile(const std::string& name);

  Disk& disk_;
  SpoolOptions options_;
  Random random_;
  std::string ledger_id_;
  std::vector<Segment> segments_;  // in the order of writing
  std::map<uint64_t, uint64_t> acked_;
  uint64_t epoch_ = 0;
  uint64_t next_sequence_ = 1;
  std::unique_ptr<AppendFile> file_;  // of segments_.back(), if it may grow
  // By check, the time whose facts had to go, until the gap for it is durable.
  std::map<std::string, std::pair<Instant, Instant>> lost_;
  uint64_t gap_ms_ = 0;
  uint64_t file_number_ = 0;

  // Sending: the segment read last, and how far sending has come in each epoch.
  std::map<uint64_t, uint64_t> sent_;
  int read_failures_ = 0;  // in a row
  std::string cached_name_;
  uint64_t cached_bytes_ = 0;
  std::vector<std::pair<uint64_t, v1::Fact>> cached_;
};

// The time a fact speaks of, as [from, to).
std::pair<Instant, Instant> FactRange(const v1::Fact& fact);
const std::string& FactCheck(const v1::Fact& fact);

}  // namespace oppetid::agent
