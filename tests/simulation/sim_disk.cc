#include "tests/simulation/sim_disk.h"

#include "agent/segment.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::simulation {

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
  return Pass([&] { return FakeDisk::Replace(name, content); });
}
absl::Status SimDisk::Remove(const std::string& name) {
  return Pass([&] { return FakeDisk::Remove(name); });
}
absl::Status SimDisk::Append(const std::string& name, std::string_view bytes) {
  return Pass([&] { return FakeDisk::Append(name, bytes); });
}
absl::Status SimDisk::Sync(const std::string& name) {
  return Pass([&] { return FakeDisk::Sync(name); });
}

DiskFacts SimDisk::Facts() {
  DiskFacts facts;
  for (const std::string& name : Names()) {
    if (!name.ends_with(".segment") && name != "open-runs") continue;
    for (const agent::Record& record : agent::ReadSegment(content(name)).records) {
      v1::Fact fact;
      if (!fact.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
        continue;
      }
      if (fact.has_run()) {
        int64_t& last = facts.runs[{fact.run().check(), fact.run().since_ms(), fact.run().state()}];
        last = std::max(last, fact.run().last_ms());
      } else if (fact.has_gap()) {
        facts.gaps.emplace(fact.gap().check(), std::pair(fact.gap().from_ms(), fact.gap().to_ms()));
      } else if (fact.has_backup()) {
        const v1::BackupRun& run = fact.backup();
        facts.backups[{run.job(), run.kind(), run.start_ms()}] = run.end_ms();
      }
    }
  }
  return facts;
}

}  // namespace oppetid::simulation
