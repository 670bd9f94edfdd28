// The agent's disk in a simulation: a FakeDisk whose every call passes a fuse and may fail.
//
// Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "oppetid/v1/telemetry.pb.h"
#include "tests/simulation/seams.h"
#include "tests/support/fake_disk.h"

namespace oppetid::simulation {

// A fact's key as it stands on a disk, and how far it reaches there.
struct FactKey {
  std::string check;
  int64_t since = 0;
  int state = 0;  // of the wire
  auto operator<=>(const FactKey&) const = default;
};

// A fact as it stands in a segment.
struct NumberedFact {
  uint64_t epoch = 0, sequence = 0;
  v1::Fact fact;
};

struct DiskFacts {
  std::map<FactKey, int64_t> runs;  // -> last
  std::multimap<std::string, std::pair<int64_t, int64_t>> gaps;
  std::map<std::tuple<std::string, int, int64_t>, int64_t> backups;  // job, kind, start -> end
};

class SimDisk : public FakeDisk {
 public:
  SimDisk(Fuse& fuse, const Scheduler& scheduler) : fuse_(fuse), scheduler_(scheduler) {}
  void operator=(const FakeDisk& image) { FakeDisk::operator=(image); }

  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> Read(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& name,
                                                     uint64_t reserve) override;
  absl::Status Settle(const std::string& name) override;
  absl::Status Replace(const std::string& name, std::string_view content) override;
  absl::Status Remove(const std::string& name) override;

  // When a call last failed.
  int64_t last_failure() const { return last_failure_; }
  // Everything that could be read back from it by a program that knows its format; but for what
  // stands in the file `except`.
  DiskFacts Facts(const std::string& except = "");
  // The same of one segment; none if it is not a segment.
  std::vector<NumberedFact> FactsOf(const std::string& segment);
  // How far each epoch is acked, as the agent has written it down.
  std::map<uint64_t, uint64_t> Acked();
  // Called before a file goes.
  void set_on_remove(std::function<void(const std::string& name)> f) { on_remove_ = std::move(f); }
  // Called before the record of open runs gives way to the next, with what that does not have.
  void set_on_record(std::function<void(const std::string& name, const DiskFacts& gone)> f) {
    on_record_ = std::move(f);
  }

 protected:
  absl::Status Append(const std::string& name, std::string_view bytes) override;
  absl::Status Sync(const std::string& name) override;

 private:
  template <typename Op>
  auto Pass(Op op) -> decltype(op()) {
    return fuse_.Pass([&] {
      auto result = op();
      if (!result.ok()) last_failure_ = scheduler_.now();
      return result;
    });
  }

  Fuse& fuse_;
  const Scheduler& scheduler_;
  std::function<void(const std::string&)> on_remove_ = [](const std::string&) {};
  std::function<void(const std::string&, const DiskFacts&)> on_record_;
  int64_t last_failure_ = -1'000'000'000;
};

}  // namespace oppetid::simulation
