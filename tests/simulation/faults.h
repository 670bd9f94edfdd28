// What goes wrong in a world, and when: drawn from the seed beforehand, in the kinds of its plan.
//
// Not thread-safe; the world outlives it.
#pragma once

#include <functional>
#include <map>

#include "tests/simulation/world.h"

namespace oppetid::simulation {

class Faults {
 public:
  explicit Faults(World& world) : world_(world) {}
  // Puts everything that will happen within the hour on the world's schedule.
  void Plan();
  // Ends what still goes on.
  void Heal();

 private:
  // `fault` happens about `times` times within the hour.
  void Some(int64_t times, std::function<void()> fault);
  AgentActor& AnyAgent();
  void Network();
  void Partition(size_t agent, int64_t ms);
  void AgentDisk();
  void Kill();
  void Crash();
  void LedgerDisk();
  void Clocks();
  void Damage();
  void AgentImages();
  void LedgerImages();

  World& world_;
  std::map<size_t, FakeDisk> disks_;  // images by agent
  std::shared_ptr<LedgerImage> ledger_;
};

}  // namespace oppetid::simulation
