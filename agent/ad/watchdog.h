// Ends what waits on a connection for too long, for libraries whose own limits hold for some of
// their waits only: at the deadline the connection is shut down, and whoever reads or writes it
// fails at once.
//
// Threading: used by one thread; another, its own, waits. Lifetime: any, since it holds a
// descriptor of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/ad/socket.h"

namespace oppetid::agent {

class Watchdog {
 public:
  explicit Watchdog(int socket);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  // Shuts the connection down at `until`, unless Rest comes first.
  void Watch(AdDeadline until);
  void Rest();
  bool has_bitten() const;

 private:
  void Run(const std::stop_token& stop);

  const int fd_;  // a duplicate
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<AdDeadline> until_;
  bool bitten_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace oppetid::agent
