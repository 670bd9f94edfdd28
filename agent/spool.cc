#include "agent/spool.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "agent/segment.h"
#include "common/limits.h"
#include "common/log.h"

namespace oppetid::agent {
namespace {

// Small enough to read whole when sending, large enough that a week needs few files.
constexpr uint64_t kSegmentBytes = 256'000;
// A disk that does not give a segment this often, over minutes, will not give it any more.
constexpr int kMaxReadFailures = 100;
constexpr std::string_view kSuffix = ".segment";
// A Hello names every epoch and may name limits::kEpochs. Far fewer keep it short, and still hold
// the facts of an agent that starts anew each quarter of an hour for a week.
constexpr size_t kMaxEpochs = 1'000;
static_assert(kMaxEpochs < limits::kEpochs);

// "<number>-<epoch>.segment", both as 16 hex digits: the order of names is the order of writing.
std::string SegmentName(uint64_t number, uint64_t epoch) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%016llx-%016llx%s", static_cast<unsigned long long>(number),
                static_cast<unsigned long long>(epoch), kSuffix.data());
  return buffer;
}

std::optional<std::pair<uint64_t, uint64_t>> ParseSegmentName(std::string_view name) {
  if (name.size() != 33 + kSuffix.size() || !name.ends_with(kSuffix) || name[16] != '-') {
    return std::nullopt;
  }
  uint64_t number = 0, epoch = 0;
  const auto a = std::from_chars(name.data(), name.data() + 16, number, 16);
  const auto b = std::from_chars(name.data() + 17, name.data() + 33, epoch, 16);
  if (a.ptr != name.data() + 16 || b.ptr != name.data() + 33) return std::nullopt;
  return std::pair(number, epoch);
}

}  // namespace

std::pair<Instant, Instant> FactRange(const v1::Fact& fact) {
  if (fact.has_gap()) {
    return {FromUnixMillis(fact.gap().from_ms()), FromUnixMillis(fact.gap().to_ms())};
  }
  return {FromUnixMillis(fact.run().since_ms()),
          FromUnixMillis(fact.run().last_ms() + fact.run().valid_for_ms())};
}

const std::string& FactCheck(const v1::Fact& fact) {
  return fact.has_gap() ? fact.gap().check() : fact.run().check();
}

Spool::Spool(Disk& disk, SpoolOptions options, Random random)
    : disk_(disk), options_(options), random_(std::move(random)) {
  NewEpoch();
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(Disk& disk, SpoolOptions options,
                                                   Random random) {
  std::unique_ptr<Spool> spool(new Spool(disk, options, std::move(random)));
  if (auto status = spool->Load(); !status.ok()) return status;
  return spool;
}

absl::Status Spool::Load() {
  auto names = disk_.List();
  if (!names.ok()) return names.status();
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    const auto parsed = ParseSegmentName(name);
    if (!parsed) continue;
    file_number_ = std::max(file_number_, parsed->first);
    Segment segment;
    segment.name = name;
    segment.epoch = parsed->second;
    const auto bytes = disk_.Read(name);
    if (!bytes.ok()) {
      LogError("spool segment cannot be read",
               {{"segment", name}, {"error", std::string(bytes.status().message())}});
      continue;
    }
    segment.bytes = bytes->size();
    const SegmentContent content = ReadSegment(*bytes);
    segment.damaged = content.damaged;
    if (content.damaged) {
      LogWarning("spool segment is damaged; what can be read of it will be sent",
                 {{"segment", name}, {"records", static_cast<uint64_t>(content.records.size())}});
    }
    for (const Record& record : content.records) {
      v1::Fact fact;
      if (!fact.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
        continue;
      }
      if (segment.first == 0) segment.first = record.sequence;
      segment.next = record.sequence + 1;
      segment.newest = std::max(segment.newest, FactRange(fact).second);
    }
    if (segment.first == 0) {
      RemoveFile(name);
      continue;
    }
    segments_.push_back(std::move(segment));
  }
  return absl::OkStatus();
}

void Spool::NewEpoch() {
  epoch_ = random_();
  next_sequence_ = 1;
  file_.reset();
}

absl::Status Spool::StartSegment() {
  const std::string name = SegmentName(++file_number_, epoch_);
  auto file = disk_.Create(name, /*reserve=*/0);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  segments_.push_back({name, epoch_, next_sequence_, next_sequence_, 0, {}, false});
  return absl::OkStatus();
}

absl::Status Spool::Append(const std::vector<v1::Fact>& facts, Instant now) {
  if (facts.empty()) return absl::OkStatus();
  Trim(now);
  MakeRoom();
  std::vector<v1::Fact> batch = Gaps();
  batch.insert(batch.end(), facts.begin(), facts.end());
  if (file_ == nullptr || segments_.back().bytes >= kSegmentBytes) {
    if (auto status = StartSegment(); !status.ok()) {
      NewEpoch();
      return status;
    }
  }
  std::string bytes;
  Instant newest = segments_.back().newest;
  uint64_t sequence = next_sequence_;
  for (const v1::Fact& fact : batch) {
    AppendRecord(sequence++, fact.SerializeAsString(), &bytes);
    newest = std::max(newest, FactRange(fact).second);
  }
  auto status = file_->Append(bytes);
  if (status.ok()) status = file_->Sync();
  if (!status.ok()) {
    // What the disk kept of it is unknown: its records may come back after a restart, which the
    // natural keys make harmless. Nothing more goes into this segment or epoch.
    if (segments_.back().first == segments_.back().next) RemoveSegment(segments_.size() - 1);
    NewEpoch();
    return status;
  }
  Segment& segment = segments_.back();
  segment.bytes += bytes.size();
  segment.next = next_sequence_ = sequence;
  segment.newest = newest;
  for (const auto& [check, range] : lost_) {
    gap_ms_ += static_cast<uint64_t>((range.second - range.first).count());
  }
  lost_.clear();
  return absl::OkStatus();
}

void Spool::MakeRoom() {
  uint64_t bytes = stats().bytes;
  size_t epochs = Epochs().size();
  while (!segments_.empty() &&
         (bytes + kSegmentBytes > static_cast<uint64_t>(options_.limit_bytes) ||
          epochs >= kMaxEpochs)) {
    const Segment& oldest = segments_.front();
    const uint64_t acked = AckedOf(oldest.epoch);
    if (const auto facts = ReadFacts(oldest); facts.ok()) {
      for (const auto& [sequence, fact] : *facts) {
        if (sequence > acked) NoteLost(fact);
      }
    }
    bytes -= oldest.bytes;
    RemoveSegment(0);
    epochs = Epochs().size();
  }
}

void Spool::NoteLost(const v1::Fact& fact) {
  const auto [from, to] = FactRange(fact);
  auto [it, added] = lost_.emplace(FactCheck(fact), std::pair(from, to));
  if (!added) it->second = {std::min(it->second.first, from), std::max(it->second.second, to)};
}

std::vector<v1::Fact> Spool::Gaps() const {
  std::vector<v1::Fact> gaps;
  for (const auto& [check, range] : lost_) {
    v1::Fact fact;
    fact.mutable_gap()->set_check(check);
    fact.mutable_gap()->set_from_ms(ToUnixMillis(range.first));
    fact.mutable_gap()->set_to_ms(ToUnixMillis(range.second));
    fact.mutable_gap()->set_reason("the agent's spool was full or could not be written");
    gaps.push_back(std::move(fact));
  }
  return gaps;
}

void Spool::RemoveSegment(size_t index) {
  const Segment segment = segments_[index];
  if (index + 1 == segments_.size()) file_.reset();
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
  RemoveFile(segment.name);
}

void Spool::RemoveFile(const std::string& name) {
  if (auto status = disk_.Remove(name); !status.ok()) {
    LogError("spool segment cannot be removed",
             {{"segment", name}, {"error", std::string(status.message())}});
  }
}

void Spool::Trim(Instant now) {
  // The segment being written stays; only whole ones from the front go.
  while (segments_.size() > 1) {
    const Segment& oldest = segments_.front();
    if (oldest.next - 1 > AckedOf(oldest.epoch) || oldest.newest + options_.retain > now) return;
    RemoveSegment(0);
  }
}

uint64_t Spool::AckedOf(uint64_t epoch) const {
  const auto found = acked_.find(epoch);
  return found == acked_.end() ? 0 : found->second;
}

std::vector<v1::EpochRange> Spool::Epochs() const {
  std::vector<v1::EpochRange> epochs;
  for (const Segment& segment : segments_) {
    if (epochs.empty() || epochs.back().epoch() != segment.epoch) {
      epochs.emplace_back();
      epochs.back().set_epoch(segment.epoch);
      epochs.back().set_first_sequence(segment.first);
    }
    epochs.back().set_next_sequence(segment.next);
  }
  if (epochs.empty() || epochs.back().epoch() != epoch_) {
    epochs.emplace_back();
    epochs.back().set_epoch(epoch_);
    epochs.back().set_first_sequence(next_sequence_);
    epochs.back().set_next_sequence(next_sequence_);
  }
  return epochs;
}

void Spool::OnWelcome(const v1::Welcome& welcome) {
  ledger_id_ = welcome.ledger_id();
  // What another ledger acked says nothing about this one.
  acked_.clear();
  for (const v1::Watermark& mark : welcome.watermarks()) {
    acked_[mark.epoch()] = mark.last_sequence();
  }
  sent_ = acked_;
}

void Spool::OnAck(uint64_t epoch, uint64_t last_sequence) {
  uint64_t& acked = acked_[epoch];
  acked = std::max(acked, last_sequence);
}

absl::StatusOr<std::vector<std::pair<uint64_t, v1::Fact>>> Spool::ReadFacts(
    const Segment& segment) {
  if (cached_name_ == segment.name && cached_bytes_ == segment.bytes) return cached_;
  std::vector<std::pair<uint64_t, v1::Fact>> facts;
  const auto bytes = disk_.Read(segment.name);
  if (!bytes.ok()) {
    if (read_failures_++ == 0) {
      LogError("spool segment cannot be read",
               {{"segment", segment.name}, {"error", std::string(bytes.status().message())}});
    }
    return bytes.status();
  }
  read_failures_ = 0;
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
    v1::Facts frame;
    frame.set_first_sequence(sent + 1);
    const auto add_lost_until = [&](uint64_t sequence) {
      while (sent + 1 < sequence && static_cast<size_t>(frame.facts_size()) < max_facts) {
        frame.add_facts()->mutable_lost();
        ++sent;
      }
    };
    auto facts = ReadFacts(segment);
    if (!facts.ok()) {
      if (read_failures_ < kMaxReadFailures) return std::nullopt;  // it may pass
      facts.emplace();  // it does not: what follows must not wait for it
      read_failures_ = 0;
    }
    for (const auto& [sequence, fact] : *facts) {
      if (sequence <= sent) continue;
      add_lost_until(sequence);
      if (static_cast<size_t>(frame.facts_size()) >= max_facts) break;
      *frame.add_facts() = fact;
      ++sent;
    }
    add_lost_until(segment.next);
    frame.set_epoch(segment.epoch);
    return frame;
  }
  if (!cached_.empty()) {
    cached_name_.clear();
    cached_ = {};
  }
  return std::nullopt;
}

SpoolStats Spool::stats() const {
  SpoolStats stats;
  stats.gap_ms = gap_ms_;
  for (const Segment& segment : segments_) {
    stats.bytes += segment.bytes;
    const uint64_t acked = std::max(AckedOf(segment.epoch), segment.first - 1);
    if (segment.next - 1 > acked) stats.unacked_facts += segment.next - 1 - acked;
  }
  return stats;
}

}  // namespace oppetid::agent
