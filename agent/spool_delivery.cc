// The half of the spool that speaks with the collector: what is sent, acked and remembered as
// acked, and what is said of records that cannot be read.
#include <algorithm>
#include <utility>

#include "agent/segment.h"
#include "agent/spool.h"
#include "common/log.h"

namespace oppetid::agent {
namespace {

// A disk that does not give a segment this often, over minutes, will not give it any more.
constexpr int kMaxReadFailures = 100;
const char kAckedFile[] = "acked";

void AddMark(uint64_t epoch, uint64_t sequence, v1::Welcome* welcome) {
  welcome->add_watermarks()->set_epoch(epoch);
  welcome->mutable_watermarks()->rbegin()->set_last_sequence(sequence);
}

}  // namespace

// What is acked stands in one record, in the words in which a collector tells it.
void Spool::LoadAcked() {
  const auto bytes = disk_.Read(kAckedFile);
  if (!bytes.ok()) return;  // at the first start there is none
  v1::Welcome welcome;
  for (const Record& record : ReadSegment(*bytes).records) {
    const auto size = static_cast<int>(record.payload.size());
    if (!welcome.ParseFromArray(record.payload.data(), size)) welcome.Clear();
  }
  ledger_id_ = welcome.ledger_id();
  for (const v1::Watermark& mark : welcome.watermarks()) {
    const uint64_t epoch = mark.epoch();
    const auto segment = std::find_if(segments_.begin(), segments_.end(),
                                      [&](const Segment& s) { return s.epoch == epoch; });
    if (segment == segments_.end()) {
      if (mark.last_sequence() > 0) gone_.emplace_back(epoch, mark.last_sequence());
      continue;
    }
    acked_[epoch] = mark.last_sequence();
  }
}

void Spool::SaveAcked() {
  if (!acked_changed_) return;
  v1::Welcome welcome;
  welcome.set_ledger_id(ledger_id_);
  for (const auto& [epoch, sequence] : gone_) AddMark(epoch, sequence, &welcome);
  for (const auto& [epoch, sequence] : acked_) AddMark(epoch, sequence, &welcome);
  std::string bytes;
  AppendRecord(1, welcome.SerializeAsString(), &bytes);
  if (disk_.Replace(kAckedFile, bytes).ok()) acked_changed_ = false;  // else it is tried again
}

std::vector<v1::EpochRange> Spool::Epochs() const {
  std::vector<v1::EpochRange> epochs;
  const auto add = [&](uint64_t epoch, uint64_t first, uint64_t next, uint64_t acked) {
    epochs.emplace_back();
    epochs.back().set_epoch(epoch);
    epochs.back().set_first_sequence(first);
    epochs.back().set_next_sequence(next);
    epochs.back().set_acked_sequence(std::min(acked, next - 1));
  };
  for (const auto& [epoch, acked] : gone_) add(epoch, acked + 1, acked + 1, acked);
  const size_t gone = epochs.size();
  for (const Segment& segment : segments_) {
    if (epochs.size() == gone || epochs.back().epoch() != segment.epoch) {
      add(segment.epoch, segment.first, segment.next, AckedOf(segment.epoch));
    } else {
      epochs.back().set_next_sequence(segment.next);
      epochs.back().set_acked_sequence(std::min(AckedOf(segment.epoch), segment.next - 1));
    }
  }
  if (epochs.size() == gone || epochs.back().epoch() != epoch_) {
    add(epoch_, next_sequence_, next_sequence_, AckedOf(epoch_));
  }
  return epochs;
}

void Spool::OnWelcome(const v1::Welcome& welcome) {
  ledger_id_ = welcome.ledger_id();
  // What another ledger acked says nothing about this one.
  const auto before = std::exchange(acked_, {});
  sent_.clear();
  for (const v1::Watermark& mark : welcome.watermarks()) {
    const uint64_t epoch = mark.epoch();
    const bool gone = std::any_of(gone_.begin(), gone_.end(),
                                  [&](const auto& known) { return known.first == epoch; });
    if (gone) continue;
    sent_[epoch] = acked_[epoch] = mark.last_sequence();
    // Where the oldest facts had to go, a ledger begins with the first that is left. It need not
    // have the others for that: they count as acked as far as they were.
    const auto oldest = std::find_if(segments_.begin(), segments_.end(),
                                     [&](const Segment& s) { return s.epoch == epoch; });
    if (oldest == segments_.end() || mark.last_sequence() >= oldest->first) continue;
    const auto known = before.find(epoch);
    acked_[epoch] = known == before.end() ? 0 : std::min(known->second, mark.last_sequence());
  }
  acked_changed_ = true;
  // A ledger that has less wants it again; what an old claim calls acked could be trimmed first.
  if (std::any_of(before.begin(), before.end(),
                  [&](const auto& claim) { return claim.second > AckedOf(claim.first); })) {
    SaveAcked();
  }
  if (sent_[epoch_] < next_sequence_) return;
  ++acks_refused_;
  LogError("the collector claims to have facts that are not written yet; a new epoch begins");
  NewEpoch();
}

void Spool::OnAck(uint64_t epoch, uint64_t last_sequence) {
  const auto sent = sent_.find(epoch);
  if (sent == sent_.end() || last_sequence > sent->second) {
    ++acks_refused_;
    LogWarning("an ack of facts that were not sent is not believed",
               {{"sequence", last_sequence}, {"refused", acks_refused_}});
    return;
  }
  uint64_t& acked = acked_[epoch];
  if (last_sequence <= acked) return;
  acked = last_sequence;
  acked_changed_ = true;
}

absl::StatusOr<Spool::Facts> Spool::ReadFacts(const Segment& segment) {
  if (cached_name_ == segment.name && cached_bytes_ == segment.bytes) return cached_;
  const auto bytes = disk_.Read(segment.name);
  if (!bytes.ok()) {
    if (read_failures_++ == 0) {
      LogError("spool segment cannot be read",
               {{"segment", segment.name}, {"error", std::string(bytes.status().message())}});
    }
    return bytes.status();
  }
  read_failures_ = 0;
  Facts facts;
  for (const Record& record : ReadSegment(*bytes).records) {
    if (record.sequence >= segment.next) break;  // left over from a failed write
    v1::Fact fact;
    if (fact.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
      facts.emplace_back(record.sequence, std::move(fact));
    }
  }
  cached_name_ = segment.name;
  cached_bytes_ = segment.bytes;
  cached_ = facts;
  return facts;
}

std::optional<v1::Facts> Spool::NextFrame(size_t max_facts) {
  for (const Segment& segment : segments_) {
    uint64_t& sent = sent_[segment.epoch];
    if (sent + 1 >= segment.next) continue;
    auto facts = ReadFacts(segment);
    if (!facts.ok()) {
      if (read_failures_ < kMaxReadFailures) return std::nullopt;  // it may pass
      facts.emplace();  // it does not: what follows must not wait for it
    }
    v1::Facts frame;
    frame.set_epoch(segment.epoch);
    frame.set_first_sequence(sent + 1);
    auto next = facts->begin();
    while (sent + 1 < segment.next && static_cast<size_t>(frame.facts_size()) < max_facts) {
      while (next != facts->end() && next->first <= sent) ++next;
      if (next != facts->end() && next->first == sent + 1) {
        *frame.add_facts() = next->second;
      } else {
        // Nothing may pass for lost before its gap is durable.
        const bool known =
            sent + 1 < segment.first || known_holes_.contains({segment.epoch, sent + 1});
        needs_repair_ = needs_repair_ || !known;
        if (!known || gaps_wait()) break;
        frame.add_facts()->mutable_lost();
      }
      ++sent;
    }
    if (frame.facts_size() == 0) return std::nullopt;
    return frame;
  }
  if (!cached_.empty()) {
    cached_name_.clear();
    cached_ = {};
  }
  return std::nullopt;
}

void Spool::PassOver(const Segment& segment, Holes* holes) {
  const uint64_t acked = AckedOf(segment.epoch);
  const auto facts = ReadFacts(segment);
  uint64_t expected = segment.first;
  const auto miss_until = [&](uint64_t sequence) {
    if (sequence > std::max(expected, acked + 1)) holes->Hole();  // what is acked is not lost
    // A ledger may come back that has less; then this hole is news.
    for (expected = std::max(expected, acked + 1); expected < sequence; ++expected) {
      known_holes_.emplace(segment.epoch, expected);
    }
  };
  if (facts.ok()) {
    for (const auto& [sequence, fact] : *facts) {
      miss_until(sequence);
      expected = sequence + 1;
      Remember(fact);
      if (fact.has_run()) {
        holes->Run(fact.run().check(), FromUnixMillis(fact.run().since_ms()),
                   FromUnixMillis(fact.run().last_ms()));
      }
    }
  }
  miss_until(segment.next);
}

void Spool::Repair(const std::vector<v1::Fact>& newest, bool hole_before,
                   const std::vector<std::string>& checks, Instant now) {
  needs_repair_ = false;
  // A backup run that cannot be read any more is heard again when it is told again.
  backups_.clear();
  backup_order_.clear();
  Holes holes;
  auto unreadable = unreadable_.begin();
  for (const Segment& segment : segments_) {
    for (; unreadable != unreadable_.end() && *unreadable < segment.name; ++unreadable) {
      holes.Hole();
    }
    PassOver(segment, &holes);
  }
  if (hole_before || unreadable != unreadable_.end()) holes.Hole();
  for (const v1::Fact& fact : newest) {
    if (!fact.has_run()) continue;
    holes.Run(fact.run().check(), FromUnixMillis(fact.run().since_ms()),
              FromUnixMillis(fact.run().last_ms()));
  }
  for (LostTime& lost : holes.End(checks, now)) holes_.push_back(std::move(lost));
  // A file that the disk does not give may be there again at the next start.
  for (std::string& name : unreadable_) {
    if (disk_.Read(name).ok()) unreadable_told_.push_back(std::move(name));
  }
  unreadable_.clear();
  if (holes_.empty() && lost_.empty()) GapsStored();
}

}  // namespace oppetid::agent
