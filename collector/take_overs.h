// Who may have a host's stream when a second one comes for it (ARCHITECTURE.md, "The stream").
//
// The newer stream takes over; when different agents take it from each other again and again, they
// are two with one identity, and the newer is refused for a while.
// Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"

namespace oppetid::collector {

class TakeOvers {
 public:
  // Whether streams that would take over from this host's are refused.
  bool Refused(const std::string& host, Steady now) const;
  // Notes that the agent of this epoch takes over; false when that is once too often, and it and
  // those after it are refused from now on.
  bool Note(const std::string& host, uint64_t epoch, Steady now);
  // Ends the refusals whose time is over, and says whose they were.
  std::vector<std::string> Expire(Steady now);

 private:
  struct TakeOver {
    Steady at;
    uint64_t epoch;
  };

  std::map<std::string, std::deque<TakeOver>> recent_;
  std::map<std::string, Steady> refused_until_;
};

}  // namespace oppetid::collector
