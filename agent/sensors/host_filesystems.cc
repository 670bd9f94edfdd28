#include "agent/sensors/host_filesystems.h"

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace oppetid::agent {
namespace {

// A healthy statvfs takes microseconds; a loaded NFS server may take some hundred milliseconds.
constexpr Millis kPatience{1000};
// Threads of the pool that may hang here: one by a remote filesystem, and one more by a local one.
constexpr size_t kMaxHanging = 2;

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

// The mounts asked by one Ask, shared with the thread that asks them.
struct Filesystems::Round {
  enum class Step { kWaiting, kAsking, kAsked };
  struct Item {
    size_t mount;
    std::string path;
    Step step = Step::kWaiting;
    int error = 0;
    struct statvfs answer {};
  };

  Round(const asio::any_io_executor& e, StatvfsFunction f)
      : executor(e), statvfs(std::move(f)), done(e, kPatience) {}

  const asio::any_io_executor executor;
  const StatvfsFunction statvfs;
  asio::steady_timer done;  // cancelled when all are asked

  std::mutex mutex;  // guards what follows
  std::vector<Item> items;
  bool closed = false;  // nobody waits any more: ask no further mounts
  bool ended = false;   // the pool is through with it
};

Filesystems::Filesystems(World& world, StatvfsFunction statvfs)
    : world_(world), statvfs_(std::move(statvfs)) {}

Filesystems::~Filesystems() = default;

void Filesystems::Work(const std::shared_ptr<Round>& round) {
  std::unique_lock lock(round->mutex);
  for (Round::Item& item : round->items) {
    if (round->closed) break;
    item.step = Round::Step::kAsking;
    struct statvfs answer {};
    lock.unlock();
    const int error = round->statvfs(item.path.c_str(), &answer) == 0 ? 0 : errno;
    lock.lock();
    item.answer = answer;
    item.error = error;
    item.step = Round::Step::kAsked;
  }
  round->ended = true;
  lock.unlock();
  asio::post(round->executor, [round] { round->done.cancel(); });
}

// The paths that earlier rounds still wait for; an empty one stands for a round that the pool has
// not begun. Rounds that ended are dropped.
std::vector<std::string> Filesystems::Hanging() {
  std::vector<std::string> paths;
  std::erase_if(under_way_, [&](const std::shared_ptr<Round>& round) {
    const std::lock_guard lock(round->mutex);
    round->closed = true;
    if (round->ended) return true;
    std::string path;
    for (const Round::Item& item : round->items) {
      if (item.step == Round::Step::kAsking) path = item.path;
    }
    paths.push_back(std::move(path));
    return false;
  });
  return paths;
}

FilesystemUse Filesystems::Read(const struct statvfs& answer) {
  FilesystemUse use;
  use.seen = FilesystemUse::Seen::kKnown;
  use.size = answer.f_blocks * answer.f_frsize;
  use.avail = answer.f_bavail * answer.f_frsize;
  use.files = answer.f_files;
  use.files_free = answer.f_ffree;
  return use;
}

asio::awaitable<std::vector<FilesystemUse>> Filesystems::Ask(Mounts mounts) {
  using Seen = FilesystemUse::Seen;
  const std::vector<std::string> hanging = Hanging();
  const bool pool_is_busy = Contains(hanging, "");
  std::vector<FilesystemUse> uses(mounts->size());
  auto round = std::make_shared<Round>(world_.executor, statvfs_);
  for (size_t i = 0; i < mounts->size(); ++i) {
    const Mount& mount = (*mounts)[i];
    std::string path = world_.root + mount.mountpoint;
    if (Contains(hanging, path)) {
      uses[i].seen = Seen::kHanging;
    } else if (hanging.empty() ||
               (!pool_is_busy && !mount.remote && hanging.size() < kMaxHanging)) {
      round->items.push_back({.mount = i, .path = std::move(path)});
    }
  }
  if (round->items.empty()) co_return uses;

  under_way_.push_back(round);
  std::function<void()> work = [round] { Work(round); };
  world_.pool.Post(std::move(work));
  boost::system::error_code ignored;  // expired or cancelled: the items tell
  co_await round->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));

  const std::lock_guard lock(round->mutex);
  round->closed = true;
  for (const Round::Item& item : round->items) {
    FilesystemUse& use = uses[item.mount];
    if (item.step == Round::Step::kAsking) {
      use.seen = Seen::kHanging;
    } else if (item.step == Round::Step::kAsked && item.error == 0) {
      use = Read(item.answer);
    } else if (item.step == Round::Step::kAsked) {
      const bool hidden = item.error == EACCES || item.error == EPERM || item.error == ENOENT;
      use.seen = hidden ? Seen::kHidden : Seen::kFailed;
      use.error = item.error;
    }
  }
  co_return uses;
}

}  // namespace oppetid::agent
