#include "common/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace oppetid {
namespace {

// A segment of the spool is at most 4 MB; this leaves room and stays bounded.
constexpr size_t kMaxDiskFileBytes = 64'000'000;

absl::Status Error(const char* what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return Error("sync", directory);
  return absl::OkStatus();
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> ReadFd(int fd, const std::string& path, size_t max_bytes) {
  std::string content;
  struct stat info {};
  if (::fstat(fd, &info) == 0 && info.st_size > 0) {
    if (static_cast<size_t>(info.st_size) > max_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(path, " is larger than ", max_bytes, " B"));
    }
    content.reserve(static_cast<size_t>(info.st_size));
  }
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error("read", path);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > max_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(path, " is larger than ", max_bytes, " B"));
    }
    content.append(buffer, static_cast<size_t>(got));
  }
}

class PosixAppendFile : public AppendFile {
 public:
  PosixAppendFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  absl::Status Append(std::string_view bytes) override { return WriteAll(fd_.get(), bytes, path_); }
  absl::Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return Error("sync", path_);
    if (!entry_synced_) {
      if (auto status = SyncDirectory(DirectoryOf(path_)); !status.ok()) return status;
      entry_synced_ = true;
    }
    return absl::OkStatus();
  }

 private:
  Fd fd_;
  std::string path_;
  bool entry_synced_ = false;
};

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return Error("open", path);
  return ReadFd(fd.get(), path, max_bytes);
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return Error("open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Error("stat", path);
  if ((info.st_mode & 0077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " may be read by others; run: chmod 600 ", path));
  }
  constexpr size_t kMaxSecretBytes = 64'000;
  return ReadFd(fd.get(), path, kMaxSecretBytes);
}

absl::Status ReplaceFile(const std::string& path, std::string_view content, int mode) {
  const std::string beside = path + ".new";
  {
    const Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (fd.get() < 0) return Error("create", beside);
    if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) return Error("chmod", beside);
    if (auto status = WriteAll(fd.get(), content, beside); !status.ok()) return status;
    if (::fdatasync(fd.get()) != 0) return Error("sync", beside);
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return Error("rename", beside);
  return SyncDirectory(DirectoryOf(path));
}

absl::StatusOr<std::unique_ptr<PosixDisk>> PosixDisk::Open(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return Error("create", directory);
  return std::unique_ptr<PosixDisk>(new PosixDisk(directory));
}

absl::StatusOr<std::vector<std::string>> PosixDisk::List() {
  DIR* dir = ::opendir(directory_.c_str());
  if (dir == nullptr) return Error("open", directory_);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_type == DT_REG) names.emplace_back(entry->d_name);
  }
  ::closedir(dir);
  return names;
}

absl::StatusOr<std::string> PosixDisk::Read(const std::string& name) {
  return ReadFile(directory_ + "/" + name, kMaxDiskFileBytes);
}

absl::StatusOr<std::unique_ptr<AppendFile>> PosixDisk::Create(const std::string& name,
                                                              uint64_t reserve) {
  const std::string path = directory_ + "/" + name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Error("create", path);
  auto file = std::make_unique<PosixAppendFile>(fd, path);
  // The size stays what was written, so that readers never meet a tail of zeros.
  if (reserve > 0 && ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(reserve)) != 0 &&
      errno != EOPNOTSUPP && errno != ENOSYS) {
    const absl::Status status = Error("set room aside for", path);
    ::unlink(path.c_str());
    return status;
  }
  return file;
}

absl::Status PosixDisk::Settle(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) return Error("open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Error("stat", path);
  // Cutting a file at its own size frees what lies behind its end.
  if (::ftruncate(fd.get(), info.st_size) != 0) return Error("truncate", path);
  if (::fdatasync(fd.get()) != 0) return Error("sync", path);
  return SyncDirectory(directory_);
}

absl::Status PosixDisk::Replace(const std::string& name, std::string_view content) {
  return ReplaceFile(directory_ + "/" + name, content);
}

absl::Status PosixDisk::Remove(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error("remove", path);
  return absl::OkStatus();
}

absl::StatusOr<LockFile> LockFile::Take(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Error("open", path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const absl::Status status = absl::FailedPreconditionError(
        absl::StrCat(path, " is locked: another program already runs on this state directory"));
    ::close(fd);
    return status;
  }
  return LockFile(fd);
}

LockFile::~LockFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace oppetid
