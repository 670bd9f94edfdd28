#include "collector/ledger/reserve.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>

namespace oppetid::collector {
namespace {

// Some thousand acts, or the gaps of a bad week; a commit's pages of the log included.
constexpr off_t kReserveBytes = 4'194'304;
constexpr Millis kTryEvery{60'000};

}  // namespace

void Reserve::Keep(Instant now) {
  if (kept_ || now < next_try_) return;
  next_try_ = now + kTryEvery;
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  kept_ = ::posix_fallocate(file, 0, kReserveBytes) == 0;
  ::close(file);
  // A part of it would only take room from those who need it.
  if (!kept_) ::unlink(path_.c_str());
}

bool Reserve::Release() {
  const bool there = ::unlink(path_.c_str()) == 0;
  kept_ = false;
  return there;
}

}  // namespace oppetid::collector
