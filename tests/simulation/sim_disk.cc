#include "tests/simulation/sim_disk.h"

#include <algorithm>
#include <charconv>

#include "agent/segment.h"

namespace oppetid::simulation {
namespace {

const char kRecord[] = "open-runs";

void AddFacts(std::string_view content, DiskFacts* facts) {
  for (const agent::Record& record : agent::ReadSegment(content).records) {
    v1::Fact fact;
    if (!fact.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
      continue;
    }
    if (fact.has_run()) {
      int64_t& last = facts->runs[{fact.run().check(), fact.run().since_ms(), fact.run().state()}];
      last = std::max(last, fact.run().last_ms());
    } else if (fact.has_gap()) {
      facts->gaps.emplace(fact.gap().check(), std::pair(fact.gap().from_ms(), fact.gap().to_ms()));
    } else if (fact.has_backup()) {
      const v1::BackupRun& run = fact.backup();
      facts->backups[{run.job(), run.kind(), run.start_ms()}] = run.end_ms();
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SimDisk::List() {
  return Pass([&] { return FakeDisk::List(); });
}
absl::StatusOr<std::string> SimDisk::Read(const std::string& name) {
  return Pass([&] { return FakeDisk::Read(name); });
}
absl::StatusOr<std::unique_ptr<AppendFile>> SimDisk::Create(const std::string& name,
                                                            uint64_t reserve) {
  return Pass([&] { return FakeDisk::Create(name, reserve); });
}
absl::Status SimDisk::Settle(const std::string& name) {
  return Pass([&] { return FakeDisk::Settle(name); });
}
absl::Status SimDisk::Replace(const std::string& name, std::string_view content) {
  return Pass([&] {
    if (name == kRecord && on_record_) {
      DiskFacts before, after;
      const auto names = Names();
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        AddFacts(this->content(name), &before);
      }
      AddFacts(content, &after);
      std::erase_if(before.runs, [&](const auto& run) {
        const auto kept = after.runs.find(run.first);
        return kept != after.runs.end() && kept->second >= run.second;
      });
      if (!before.runs.empty()) on_record_(name, before);
    }
    return FakeDisk::Replace(name, content);
  });
}
absl::Status SimDisk::Remove(const std::string& name) {
  return Pass([&] {
    const auto names = Names();
    const bool there = std::find(names.begin(), names.end(), name) != names.end();
    if (there && !fail_remove) on_remove_(name);
    return FakeDisk::Remove(name);
  });
}
absl::Status SimDisk::Append(const std::string& name, std::string_view bytes) {
  return Pass([&] { return FakeDisk::Append(name, bytes); });
}
absl::Status SimDisk::Sync(const std::string& name) {
  return Pass([&] { return FakeDisk::Sync(name); });
}

std::vector<NumberedFact> SimDisk::FactsOf(const std::string& segment) {
  std::vector<NumberedFact> facts;
  uint64_t epoch = 0;
  const size_t dash = segment.find('-');
  if (!segment.ends_with(".segment") || dash == std::string::npos) return facts;
  const char* digits = segment.data() + dash + 1;
  std::from_chars(digits, segment.data() + segment.size(), epoch, 16);
  for (const agent::Record& record : agent::ReadSegment(content(segment)).records) {
    NumberedFact fact{epoch, record.sequence, {}};
    const auto size = static_cast<int>(record.payload.size());
    if (fact.fact.ParseFromArray(record.payload.data(), size)) facts.push_back(std::move(fact));
  }
  return facts;
}

std::map<uint64_t, uint64_t> SimDisk::Acked() {
  std::map<uint64_t, uint64_t> acked;
  const auto names = Names();
  if (std::find(names.begin(), names.end(), "acked") == names.end()) return acked;
  for (const agent::Record& record : agent::ReadSegment(content("acked")).records) {
    v1::Welcome welcome;
    const auto size = static_cast<int>(record.payload.size());
    if (!welcome.ParseFromArray(record.payload.data(), size)) continue;
    for (const v1::Watermark& mark : welcome.watermarks()) {
      acked[mark.epoch()] = mark.last_sequence();
    }
  }
  return acked;
}

DiskFacts SimDisk::Facts(const std::string& except) {
  DiskFacts facts;
  for (const std::string& name : Names()) {
    if (name == except) continue;
    if (!name.ends_with(".segment") && name != kRecord) continue;
    AddFacts(content(name), &facts);
  }
  return facts;
}

}  // namespace oppetid::simulation
