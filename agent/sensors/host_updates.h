// How many packages have an update waiting, on Debian and its kin, as apt itself would decide.
//
// Only apt knows what pins, holds and phases leave of the lists, so its own simulation is asked;
// that takes seconds of CPU, so only after the package state has changed and come to rest, on the
// pool, at the lowest priority and with a deadline.
// Threading: Look and the getters on the agent's thread. A simulation under way outlives the
// object, but is ended soon after it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/sensors/sensor.h"

namespace oppetid::agent {

struct UpdateCounts {
  int security = 0;
  int other = 0;
};
// The output of `apt-get -s dist-upgrade`. Packages that would be new are no updates.
UpdateCounts ParseSimulation(std::string_view output);

// Runs the simulation and returns its output; ends early once `cancelled`. Runs on the pool.
using SimulateUpgrade =
    std::function<absl::StatusOr<std::string>(const std::atomic<bool>& cancelled)>;
absl::StatusOr<std::string> RunAptSimulation(const std::atomic<bool>& cancelled);

// What a command (absolute path first) writes, with a clean environment and in English. An error
// when it does not end in time with code 0 or writes more than 4 MB; its whole group is killed
// then.
absl::StatusOr<std::string> ReadOutput(const std::vector<std::string>& command, Millis deadline,
                                       const std::atomic<bool>& cancelled);

class PendingUpdates {
 public:
  enum class Knowledge {
    kNoPackages,  // no dpkg, or apt's lists have never been fetched
    kNotYet,      // being found out
    kCounted,
    kFailed,
  };

  PendingUpdates(World& world, SimulateUpgrade simulate);
  ~PendingUpdates();

  // Looks whether the package state has changed, and starts a simulation when one is due.
  void Look();
  Knowledge knowledge() const { return shared_->knowledge; }
  UpdateCounts counts() const { return shared_->counts; }

 private:
  // What a simulation under way shares with the object.
  struct Shared {
    std::atomic<bool> cancelled{false};
    // The rest belongs to the agent's thread.
    bool under_way = false;
    Knowledge knowledge = Knowledge::kNoPackages;
    UpdateCounts counts;
  };
  // Changes with every change of the package state.
  struct Stamp {
    int64_t status_ns = 0;
    int64_t lists_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  bool ReadStamp(Stamp& stamp) const;
  bool HasLists() const;
  void Start();

  World& world_;
  SimulateUpgrade simulate_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Stamp seen_;
  Steady seen_at_{};
  Stamp simulated_;
  Steady not_before_{};
};

}  // namespace oppetid::agent
