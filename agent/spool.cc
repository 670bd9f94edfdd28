#include "agent/spool.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "agent/segment.h"
#include "common/limits.h"
#include "common/log.h"

namespace oppetid::agent {
namespace {

constexpr std::string_view kSuffix = ".segment";
const char kReserveFile[] = "reserve";
// A Hello names every epoch and may name limits::kEpochs. Far fewer keep it short, and still hold
// the facts of an agent that starts anew each quarter of an hour for a week.
constexpr size_t kMaxEpochs = 1'000;
// Epochs of which only the watermark is remembered; a ledger that is restored is rarely older.
constexpr size_t kMaxGone = 64;
static_assert(kMaxEpochs + kMaxGone < limits::kEpochs);
// Backup runs that are not appended again: years of them on the busiest host.
constexpr size_t kMaxBackups = 10'000;

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

v1::Fact GapFact(const LostTime& lost, const char* reason) {
  v1::Fact fact;
  fact.mutable_gap()->set_check(lost.check);
  fact.mutable_gap()->set_from_ms(ToUnixMillis(lost.from));
  fact.mutable_gap()->set_to_ms(ToUnixMillis(lost.to));
  fact.mutable_gap()->set_reason(reason);
  return fact;
}

// How much these take in a segment, so that a batch does not outgrow the room set aside.
uint64_t RecordBytes(const std::vector<v1::Fact>& facts) {
  uint64_t bytes = 0;
  for (const v1::Fact& fact : facts) bytes += kRecordHeaderBytes + fact.ByteSizeLong();
  return bytes;
}

}  // namespace

std::pair<Instant, Instant> FactRange(const v1::Fact& fact) {
  if (fact.has_gap()) {
    return {FromUnixMillis(fact.gap().from_ms()), FromUnixMillis(fact.gap().to_ms())};
  }
  if (fact.has_backup()) {
    return {FromUnixMillis(fact.backup().start_ms()), FromUnixMillis(fact.backup().end_ms())};
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
    reserve_ = reserve_ || name == kReserveFile;
    const auto parsed = ParseSegmentName(name);
    if (!parsed) continue;
    file_number_ = std::max(file_number_, parsed->first);
    LoadSegment(name, parsed->second);
  }
  LoadAcked();
  // What is missing between two segments of one epoch stood at the end of the first, or the start
  // of the second.
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    if (segments_[i].epoch == segments_[i + 1].epoch) {
      segments_[i].next = segments_[i + 1].first;
    }
  }
  KeepReserve();
  return absl::OkStatus();
}

void Spool::LoadSegment(const std::string& name, uint64_t epoch) {
  const auto bytes = disk_.Read(name);
  if (!bytes.ok()) {
    LogError("spool segment cannot be read; it is tried again at the next start",
             {{"segment", name}, {"error", std::string(bytes.status().message())}});
    unreadable_.push_back(name);
    needs_repair_ = true;
    return;
  }
  // A life that was killed may not have synced what it wrote last. Nothing is told before it is
  // durable, and no backup run counts as known.
  const bool durable = Settle(name);
  const SegmentContent content = ReadSegment(*bytes);
  Segment segment{name, epoch, 0, 0, bytes->size(), {}};
  for (const Record& record : content.records) {
    v1::Fact fact;
    if (!fact.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
      continue;
    }
    if (segment.first == 0) segment.first = record.sequence;
    segment.next = record.sequence + 1;
    segment.newest = std::max(segment.newest, FactRange(fact).second);
    if (durable) Remember(fact);
  }
  const bool holes = segment.next - segment.first != content.records.size();
  if (content.bad_start || content.bad_end || holes) {
    LogWarning("spool segment is damaged; what can be read of it will be sent",
               {{"segment", name}, {"records", static_cast<uint64_t>(content.records.size())}});
    needs_repair_ = true;
  }
  if (segment.first == 0) {
    if (content.bad_end) {
      unreadable_.push_back(name);  // until its loss is told
    } else {
      RemoveFile(name);
    }
    return;
  }
  const bool continues = !segments_.empty() && segments_.back().epoch == epoch;
  if (content.bad_start && !continues) segment.first = 1;  // or what is acked, see LoadAcked
  if (content.bad_end) ++segment.next;
  segments_.push_back(std::move(segment));
}

bool Spool::Settle(const std::string& name) {
  const auto status = disk_.Settle(name);
  if (!status.ok()) {
    LogWarning("a spool segment cannot be settled; it may take more room than it needs",
               {{"segment", name}, {"error", std::string(status.message())}});
  }
  return status.ok();
}

void Spool::NewEpoch() {
  epoch_ = random_();
  next_sequence_ = 1;
  file_.reset();
}

void Spool::KeepReserve() {
  if (reserve_) return;
  reserve_ = disk_.Create(kReserveFile, options_.segment_bytes).ok();
}

absl::Status Spool::CreateSegment(const std::string& name) {
  auto file = disk_.Create(name, options_.segment_bytes);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  return absl::OkStatus();
}

absl::Status Spool::StartSegment() {
  const std::string name = SegmentName(++file_number_, epoch_);
  auto status = CreateSegment(name);
  if (!status.ok() && reserve_) {
    RemoveFile(kReserveFile);
    reserve_ = false;
    status = CreateSegment(name);
  }
  if (absl::IsResourceExhausted(status) && stats().bytes >= options_.segment_bytes) {
    // Others fill the disk. The newest facts are worth more than the oldest.
    const uint64_t enough = stats().bytes - options_.segment_bytes;
    while (stats().bytes > enough && !HasUnknownHole(segments_.front())) DropOldest();
    RemoveDoomed();  // without them there is no room for their gaps
    status = CreateSegment(name);
  }
  if (!status.ok()) return status;
  segments_.push_back({name, epoch_, next_sequence_, next_sequence_, 0, {}});
  KeepReserve();
  return absl::OkStatus();
}

absl::Status Spool::Append(const std::vector<v1::Fact>& facts, Instant now) {
  if (facts.empty() && !gaps_wait()) return absl::OkStatus();
  if (file_ != nullptr && segments_.back().bytes + RecordBytes(facts) > options_.segment_bytes) {
    file_.reset();
    Settle(segments_.back().name);
  }
  Trim(now);
  MakeRoom();
  if (needs_repair_) return absl::UnavailableError("a segment that must go is damaged");
  if (file_ == nullptr) {
    if (auto status = StartSegment(); !status.ok()) return status;
  }
  std::vector<v1::Fact> batch = Gaps();
  batch.insert(batch.end(), facts.begin(), facts.end());
  if (auto status = Write(batch); !status.ok()) {
    // What the disk kept of it is unknown: its records may come back after a restart, which the
    // natural keys make harmless. Nothing more goes into this segment or epoch.
    if (segments_.back().first == segments_.back().next) RemoveSegment(segments_.size() - 1);
    NewEpoch();
    return status;
  }
  for (const v1::Fact& fact : facts) Remember(fact);
  GapsStored();
  return absl::OkStatus();
}

absl::Status Spool::Write(const std::vector<v1::Fact>& batch) {
  std::string bytes;
  Instant newest = segments_.back().newest;
  uint64_t sequence = next_sequence_;
  for (const v1::Fact& fact : batch) {
    AppendRecord(sequence++, fact.SerializeAsString(), &bytes);
    newest = std::max(newest, FactRange(fact).second);
  }
  if (auto status = file_->Append(bytes); !status.ok()) return status;
  if (auto status = file_->Sync(); !status.ok()) return status;
  Segment& segment = segments_.back();
  segment.bytes += bytes.size();
  segment.next = next_sequence_ = sequence;
  segment.newest = newest;
  return absl::OkStatus();
}

Spool::BackupKey Spool::KeyOf(const v1::BackupRun& run) {
  return {run.job(), static_cast<int>(run.kind()), run.start_ms()};
}

void Spool::Remember(const v1::Fact& fact) {
  if (!fact.has_backup() || !backups_.insert(KeyOf(fact.backup())).second) return;
  backup_order_.push_back(KeyOf(fact.backup()));
  if (backup_order_.size() <= kMaxBackups) return;
  backups_.erase(backup_order_.front());
  backup_order_.pop_front();
}

// Everything that counts against the bound: the room set aside, and the segments that are full.
void Spool::MakeRoom() {
  const auto limit = static_cast<uint64_t>(options_.limit_bytes);
  const uint64_t aside = options_.segment_bytes * (reserve_ ? 2 : 1);
  const auto full = [&] {
    const uint64_t current = file_ == nullptr ? 0 : segments_.back().bytes;
    return stats().bytes - current + aside > limit || Epochs().size() >= kMaxEpochs;
  };
  const size_t stays = file_ == nullptr ? 0 : 1;
  while (segments_.size() > stays && full() && !HasUnknownHole(segments_.front())) DropOldest();
}

// Whether something is missing that nobody has made a gap of; then Repair must do so first.
bool Spool::HasUnknownHole(const Segment& segment) {
  uint64_t expected = std::max(segment.first, AckedOf(segment.epoch) + 1);
  const auto known_until = [&](uint64_t sequence) {
    for (; expected < sequence; ++expected) {
      if (!known_holes_.contains({segment.epoch, expected})) needs_repair_ = true;
    }
  };
  const auto facts = ReadFacts(segment);
  if (facts.ok()) {
    for (const auto& [sequence, fact] : *facts) {
      known_until(sequence);
      expected = std::max(expected, sequence + 1);
    }
  }
  known_until(segment.next);
  return needs_repair_;
}

void Spool::DropOldest() {
  const Segment& oldest = segments_.front();
  const uint64_t acked = AckedOf(oldest.epoch);
  const auto facts = ReadFacts(oldest);
  if (facts.ok()) {  // else its holes are known
    for (const auto& [sequence, fact] : *facts) {
      if (sequence > acked) NoteLost(fact);
    }
  }
  doomed_.push_back(TakeOut(0));
}

void Spool::RemoveDoomed() {
  for (const std::string& name : std::exchange(doomed_, {})) RemoveFile(name);
}

void Spool::NoteLost(const v1::Fact& fact) {
  if (fact.has_backup()) {
    backups_.erase(KeyOf(fact.backup()));  // whoever tells it again is heard
    return;
  }
  const auto [from, to] = FactRange(fact);
  lost_.Note(FactCheck(fact), from, to);
}

std::vector<v1::Fact> Spool::Gaps() const {
  std::vector<v1::Fact> gaps;
  for (const LostTime& lost : lost_.All()) {
    gaps.push_back(GapFact(lost, "the agent's spool was full or could not be written"));
  }
  for (const LostTime& hole : holes_) {
    gaps.push_back(GapFact(hole, "the agent's spool was damaged"));
  }
  return gaps;
}

void Spool::GapsStored() {
  for (const v1::Fact& gap : Gaps()) {
    gap_ms_ += static_cast<uint64_t>(gap.gap().to_ms() - gap.gap().from_ms());
  }
  lost_.clear();
  holes_.clear();
  RemoveDoomed();
  for (const std::string& name : unreadable_told_) RemoveFile(name);
  unreadable_told_.clear();
}

void Spool::RemoveSegment(size_t index) { RemoveFile(TakeOut(index)); }

std::string Spool::TakeOut(size_t index) {
  const Segment segment = segments_[index];
  if (index + 1 == segments_.size()) file_.reset();
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
  std::erase_if(known_holes_, [&](const auto& hole) {
    return hole.first == segment.epoch && hole.second < segment.next;
  });
  const bool left = segment.epoch == epoch_ ||
                    std::any_of(segments_.begin(), segments_.end(),
                                [&](const Segment& s) { return s.epoch == segment.epoch; });
  const uint64_t acked = AckedOf(segment.epoch);
  if (left || acked == 0) return segment.name;
  acked_.erase(segment.epoch);
  gone_.emplace_back(segment.epoch, std::min(acked, segment.next - 1));
  if (gone_.size() > kMaxGone) gone_.pop_front();
  acked_changed_ = true;
  return segment.name;
}

void Spool::RemoveFile(const std::string& name) {
  if (auto status = disk_.Remove(name); !status.ok()) {
    LogError("a file of the spool cannot be removed",
             {{"file", name}, {"error", std::string(status.message())}});
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

SpoolStats Spool::stats() const {
  SpoolStats stats;
  stats.gap_ms = gap_ms_;
  stats.acks_refused = acks_refused_;
  for (const Segment& segment : segments_) {
    stats.bytes += segment.bytes;
    const uint64_t acked = std::max(AckedOf(segment.epoch), segment.first - 1);
    if (segment.next - 1 > acked) stats.unacked_facts += segment.next - 1 - acked;
  }
  return stats;
}

}  // namespace oppetid::agent
