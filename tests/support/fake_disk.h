// A Disk in memory that forgets what a real one may forget, and fails when told to.
//
// What was appended is durable once synced; Crash() keeps that and, as a disk may, any beginning
// of the rest. Errors and a bound on bytes are the test's to set. Not thread-safe; open files must
// not outlive the disk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/file.h"

namespace oppetid {

class FakeDisk : public Disk {
 public:
  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> Read(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& name,
                                                     uint64_t reserve) override;
  absl::Status Settle(const std::string& name) override;
  absl::Status Replace(const std::string& name, std::string_view content) override;
  absl::Status Remove(const std::string& name) override;

  // The machine loses power. Of what was not synced, up to `torn_bytes` of each file stay; a file
  // that was never synced is gone if none do. Files open before take no more writes.
  void Crash(size_t torn_bytes = 0);

  // Faults, each until it is set back.
  bool fail_create = false;
  bool fail_append = false;  // leaves half of the bytes behind, as a torn write does
  bool fail_sync = false;
  bool fail_replace = false;
  bool fail_remove = false;
  bool fail_read = false;
  std::string unreadable;  // this file alone
  // A full disk: writes that would take more than this many bytes in all fail halfway.
  uint64_t capacity = std::numeric_limits<uint64_t>::max();

  uint64_t bytes() const;  // written
  uint64_t taken() const;  // written or set aside
  size_t syncs() const { return syncs_; }
  // What a program would read now, for tests that look at or damage it.
  std::string& content(const std::string& name) { return files_.at(name).bytes; }
  std::vector<std::string> Names() const;

 protected:
  // What open files ask for.
  virtual absl::Status Append(const std::string& name, std::string_view bytes);
  virtual absl::Status Sync(const std::string& name);

 private:
  class File;
  struct Stored {
    std::string bytes;
    size_t durable = 0;  // how many of them survive a crash
    bool entry_durable = false;
    uint64_t reserved = 0;
    uint64_t taken() const { return std::max<uint64_t>(bytes.size(), reserved); }
  };

  std::map<std::string, Stored> files_;
  uint64_t boot_ = 0;  // files opened before a crash are of an earlier one
  size_t syncs_ = 0;
};

}  // namespace oppetid
