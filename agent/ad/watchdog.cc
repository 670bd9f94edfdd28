#include "agent/ad/watchdog.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace oppetid::agent {

Watchdog::Watchdog(int socket)
    : fd_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Watchdog::~Watchdog() {
  thread_.request_stop();
  thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

void Watchdog::Watch(AdDeadline until) {
  const std::lock_guard lock(mutex_);
  until_ = until;
  changed_.notify_one();
}

void Watchdog::Rest() {
  const std::lock_guard lock(mutex_);
  until_.reset();
  changed_.notify_one();
}

bool Watchdog::has_bitten() const {
  const std::lock_guard lock(mutex_);
  return bitten_;
}

void Watchdog::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!until_) {
      changed_.wait(lock, stop, [this] { return until_.has_value(); });
      continue;
    }
    const AdDeadline until = *until_;
    const bool changed = changed_.wait_until(lock, stop, until, [&] { return until_ != until; });
    if (changed || stop.stop_requested()) continue;
    ::shutdown(fd_, SHUT_RDWR);
    bitten_ = true;
    until_.reset();
  }
}

}  // namespace oppetid::agent
