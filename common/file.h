// Files as this project uses them: read whole, replaced whole, or appended to through a seam.
//
// `Disk` is the seam behind which spool and open runs live, so that a simulation can tear writes
// and fill disks. PosixDisk is the real one (Linux). Errors are absl::Status with the path in it.
// Threading: a Disk is used from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace oppetid {

// Reads a whole file of at most `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = 16'000'000);

// Like ReadFile, for secrets: refuses a file that group or others may read.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// Replaces a file so that a reader, or a crash, sees the old content or the new, never a mixture:
// written beside it, synced, renamed, directory synced.
absl::Status ReplaceFile(const std::string& path, std::string_view content, int mode = 0600);

// An open file that only grows.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // Appends all of `bytes`, or fails; after a failure the file's tail is unspecified.
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Durable when it returns OK. After a failure nothing may be assumed about what was appended.
  virtual absl::Status Sync() = 0;
};

// A directory of flat files.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;
  virtual absl::StatusOr<std::string> Read(const std::string& name) = 0;
  // Opens a new file; fails if it exists. Its directory entry is durable after the first Sync.
  // Room for `reserve` bytes is set aside at once, so that a full disk is met here and not halfway
  // through a record; on a filesystem that cannot do so it is met when writing.
  virtual absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& name,
                                                             uint64_t reserve) = 0;
  // Ends the writing of a file: what it holds is durable, whoever wrote it, and what was set aside
  // for it and not used is given back.
  virtual absl::Status Settle(const std::string& name) = 0;
  // As ReplaceFile above.
  virtual absl::Status Replace(const std::string& name, std::string_view content) = 0;
  virtual absl::Status Remove(const std::string& name) = 0;
};

class PosixDisk : public Disk {
 public:
  // `directory` is created (0700) if missing.
  static absl::StatusOr<std::unique_ptr<PosixDisk>> Open(const std::string& directory);
  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> Read(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& name,
                                                     uint64_t reserve) override;
  absl::Status Settle(const std::string& name) override;
  absl::Status Replace(const std::string& name, std::string_view content) override;
  absl::Status Remove(const std::string& name) override;

 private:
  explicit PosixDisk(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

// An exclusive lock on a file, held until destruction; one program at a time per state directory.
class LockFile {
 public:
  static absl::StatusOr<LockFile> Take(const std::string& path);
  LockFile(LockFile&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace oppetid
