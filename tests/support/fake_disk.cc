#include "tests/support/fake_disk.h"

#include <algorithm>

namespace oppetid {
namespace {

absl::Status Error(const std::string& what, const std::string& name) {
  return absl::UnavailableError(what + " " + name + ": input/output error");
}

absl::Status Full(const std::string& name) {
  return absl::ResourceExhaustedError(name + ": no space left on device");
}

}  // namespace

class FakeDisk::File : public AppendFile {
 public:
  File(FakeDisk& disk, std::string name) : disk_(disk), name_(std::move(name)), boot_(disk.boot_) {}
  absl::Status Append(std::string_view bytes) override {
    return Alive() ? disk_.Append(name_, bytes) : Error("append", name_);
  }
  absl::Status Sync() override { return Alive() ? disk_.Sync(name_) : Error("sync", name_); }

 private:
  bool Alive() const { return boot_ == disk_.boot_ && disk_.files_.contains(name_); }
  FakeDisk& disk_;
  std::string name_;
  uint64_t boot_;
};

absl::StatusOr<std::vector<std::string>> FakeDisk::List() {
  if (fail_read) return Error("list", ".");
  return Names();
}

std::vector<std::string> FakeDisk::Names() const {
  std::vector<std::string> names;
  // Not in order: a real directory is in none.
  for (auto it = files_.rbegin(); it != files_.rend(); ++it) names.push_back(it->first);
  return names;
}

absl::StatusOr<std::string> FakeDisk::Read(const std::string& name) {
  const auto found = files_.find(name);
  if (fail_read || name == unreadable || found == files_.end()) return Error("read", name);
  return found->second.bytes;
}

absl::StatusOr<std::unique_ptr<AppendFile>> FakeDisk::Create(const std::string& name,
                                                             uint64_t reserve) {
  if (fail_create) return Error("create", name);
  if (taken() + std::max<uint64_t>(reserve, 1) > capacity) return Full(name);
  Stored file;
  file.reserved = reserve;
  if (!files_.emplace(name, std::move(file)).second) return absl::AlreadyExistsError(name);
  return std::make_unique<File>(*this, name);
}

absl::Status FakeDisk::Settle(const std::string& name) {
  const auto found = files_.find(name);
  if (found == files_.end() || fail_sync) return Error("settle", name);
  found->second.reserved = 0;
  found->second.durable = found->second.bytes.size();
  found->second.entry_durable = true;
  return absl::OkStatus();
}

absl::Status FakeDisk::Append(const std::string& name, std::string_view bytes) {
  Stored& file = files_.at(name);
  const uint64_t own = file.taken() - file.bytes.size();
  const uint64_t room = own + capacity - std::min(capacity, taken());
  if (fail_append || bytes.size() > room) {
    file.bytes += bytes.substr(0, std::min<uint64_t>(room, bytes.size() / 2));
    return fail_append ? Error("append", name) : Full(name);
  }
  file.bytes += bytes;
  return absl::OkStatus();
}

absl::Status FakeDisk::Sync(const std::string& name) {
  if (fail_sync) return Error("sync", name);
  Stored& file = files_.at(name);
  file.durable = file.bytes.size();
  file.entry_durable = true;
  ++syncs_;
  return absl::OkStatus();
}

absl::Status FakeDisk::Replace(const std::string& name, std::string_view content) {
  // The new content stands beside the old until the rename.
  if (fail_replace) return Error("replace", name);
  if (taken() + content.size() > capacity) return Full(name);
  files_[name] = Stored{std::string(content), content.size(), true, 0};
  ++syncs_;
  return absl::OkStatus();
}

absl::Status FakeDisk::Remove(const std::string& name) {
  if (fail_remove) return Error("remove", name);
  files_.erase(name);
  return absl::OkStatus();
}

void FakeDisk::Crash(size_t torn_bytes) {
  ++boot_;
  for (auto it = files_.begin(); it != files_.end();) {
    Stored& file = it->second;
    file.bytes.resize(std::min(file.bytes.size(), file.durable + torn_bytes));
    if (file.bytes.empty() && !file.entry_durable) {
      it = files_.erase(it);
      continue;
    }
    file.durable = file.bytes.size();
    file.entry_durable = true;
    ++it;
  }
}

uint64_t FakeDisk::taken() const {
  uint64_t bytes = 0;
  for (const auto& [name, file] : files_) bytes += file.taken();
  return bytes;
}

uint64_t FakeDisk::bytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, file] : files_) bytes += file.bytes.size();
  return bytes;
}

}  // namespace oppetid
