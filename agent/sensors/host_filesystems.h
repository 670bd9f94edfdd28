// How full the filesystems are, asked so that one that hangs harms nobody.
//
// statvfs(2) on a network filesystem whose server is gone does not return for minutes or ever, and
// cannot be cancelled. So it runs on the pool, mount after mount; whoever is not back in time is
// left alone until it is, and so are all other remote ones meanwhile (a server that hangs takes all
// its mounts along), so that at most two threads of the pool can ever hang here.
//
// Threading: Ask on the agent's thread. What a hanging call needs is shared with it and outlives
// the object.
#pragma once

#include <sys/statvfs.h>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/sensors/host_proc.h"
#include "agent/sensors/sensor.h"

namespace oppetid::agent {

// statvfs(3): 0, or -1 and errno.
using StatvfsFunction = std::function<int(const char* path, struct statvfs* out)>;
using Mounts = std::shared_ptr<const std::vector<Mount>>;

// One mount's answer. Of a mount that is not kKnown there are no numbers.
struct FilesystemUse {
  enum class Seen {
    kKnown,
    kHidden,    // unmounted since, or in a directory that the agent may not enter
    kHanging,   // no answer in time, now or earlier
    kFailed,    // `error` says why
    kNotAsked,  // because others hang, or the pool is busy
  };
  Seen seen = Seen::kNotAsked;
  int error = 0;                 // errno
  uint64_t size = 0, avail = 0;  // bytes
  uint64_t files = 0, files_free = 0;
};

class Filesystems {
 public:
  Filesystems(World& world, StatvfsFunction statvfs);
  ~Filesystems();

  // One answer for each mount, in their order.
  boost::asio::awaitable<std::vector<FilesystemUse>> Ask(Mounts mounts);

 private:
  struct Round;
  static void Work(const std::shared_ptr<Round>& round);
  static FilesystemUse Read(const struct statvfs& answer);
  std::vector<std::string> Hanging();

  World& world_;
  StatvfsFunction statvfs_;
  std::vector<std::shared_ptr<Round>> under_way_;
};

}  // namespace oppetid::agent
