#include "tests/simulation/faults.h"

#include <limits>
#include <utility>

namespace oppetid::simulation {

void Faults::Some(int64_t times, std::function<void()> fault) {
  for (int64_t i = world_.dice.Between(1, 2 * times); i > 0; --i) {
    world_.scheduler.In(world_.dice.Between(20'000, kHourMs - 120'000), fault);
  }
}

AgentActor& Faults::AnyAgent() {
  return *world_.agents[static_cast<size_t>(
      world_.dice.Below(static_cast<int64_t>(world_.agents.size())))];
}

void Faults::Plan() {
  const auto& plan = world_.plan;
  if (plan.network) Network();
  if (plan.kills) Kill();
  if (plan.crashes) Crash();
  if (plan.disk) AgentDisk();
  if (plan.ledger_disk) LedgerDisk();
  if (plan.clocks) Clocks();
  if (plan.damage) Damage();
  if (plan.agent_images) AgentImages();
  if (plan.ledger_images) LedgerImages();
  if (plan.small_spool) {
    // The collector is long out of reach.
    world_.scheduler.In(600'000, [this] {
      for (size_t i = 0; i < world_.agents.size(); ++i) Partition(i, 2'400'000);
    });
  }
}

void Faults::Heal() {
  world_.Trace("everything heals");
  world_.partitioned_until.clear();
  world_.collector->fuse.Disarm();
  world_.collector->disk_full = world_.collector->hangs = false;
  world_.collector->image()->full = false;
  world_.collector->offset = 0;
  world_.collector->Start();
  for (const auto& agent : world_.agents) {
    agent->fuse.Disarm();
    agent->disk.fail_create = agent->disk.fail_append = agent->disk.fail_sync = false;
    agent->disk.fail_replace = agent->disk.fail_remove = agent->disk.fail_read = false;
    agent->disk.capacity = std::numeric_limits<uint64_t>::max();
    if (agent->offset() != 0) agent->SetClock(-agent->offset());
    agent->Start();
  }
}

void Faults::Partition(size_t agent, int64_t ms) {
  int64_t& until = world_.partitioned_until[agent];
  until = std::max(until, world_.scheduler.now() + ms);
  const auto stream = world_.agents[agent]->stream();
  if (!stream) return;
  // Each side learns of it in its own time; what is under way may still arrive.
  if (world_.dice.OneIn(2)) stream->cut = true;
  world_.TellAgent(stream, world_.dice.Between(1, 25'000), "partition");
  world_.TellCollector(stream, world_.dice.Between(1, 25'000));
}

void Faults::Network() {
  Some(12, [this] {
    const auto agent =
        static_cast<size_t>(world_.dice.Below(static_cast<int64_t>(world_.agents.size())));
    const bool longer = world_.dice.OneIn(4);
    Partition(agent,
              longer ? world_.dice.Between(60'000, 1'500'000) : world_.dice.Between(0, 60'000));
  });
}

void Faults::Kill() {
  Some(8, [this] {
    AgentActor& agent = AnyAgent();
    if (!agent.alive()) return;
    if (world_.dice.OneIn(4)) {
      agent.Die(world_.dice.OneIn(2), false);
    } else {
      agent.fuse.Arm(static_cast<int>(world_.dice.Between(1, 40)), world_.dice.OneIn(2));
    }
  });
}

void Faults::Crash() {
  Some(5, [this] {
    CollectorActor& collector = *world_.collector;
    if (!collector.alive()) return;
    collector.fuse.Arm(static_cast<int>(world_.dice.Between(1, 30)), world_.dice.OneIn(2));
  });
}

void Faults::AgentDisk() {
  Some(6, [this] {
    SimDisk& disk = AnyAgent().disk;
    bool FakeDisk::*const kFaults[] = {&FakeDisk::fail_create, &FakeDisk::fail_append,
                                       &FakeDisk::fail_sync,   &FakeDisk::fail_replace,
                                       &FakeDisk::fail_remove, &FakeDisk::fail_read};
    const int64_t ms = world_.dice.Between(100, 200'000);
    const auto which = static_cast<size_t>(world_.dice.Below(7));
    if (which == 6) {
      disk.capacity = disk.taken() + static_cast<uint64_t>(world_.dice.Below(3'000));
      world_.scheduler.In(ms, [&disk] { disk.capacity = std::numeric_limits<uint64_t>::max(); });
      return;
    }
    disk.*kFaults[which] = true;
    world_.scheduler.In(ms, [&disk, fault = kFaults[which]] { disk.*fault = false; });
  });
}

void Faults::LedgerDisk() {
  Some(4, [this] {
    bool CollectorActor::*const fault =
        world_.dice.OneIn(2) ? &CollectorActor::disk_full : &CollectorActor::hangs;
    (*world_.collector).*fault = true;
    world_.scheduler.In(world_.dice.Between(1'000, 300'000),
                        [this, fault] { (*world_.collector).*fault = false; });
  });
}

void Faults::Clocks() {
  // Agents' clocks go where they like; what is more than a minute ahead is far ahead.
  Some(10, [this] {
    AgentActor& agent = AnyAgent();
    int64_t offset = 0;
    switch (world_.dice.Below(5)) {
      case 0:
        offset = world_.dice.Between(-900, 900);
        break;
      case 1:
        offset = world_.dice.Between(-35'000, 35'000);
        break;
      case 2:
        offset = world_.dice.Between(-3'000'000, -2'000);
        break;
      case 3:
        offset = world_.dice.Between(90'000, 1'200'000);
        break;
      default:
        break;
    }
    const int64_t by = offset - agent.offset();
    if ((by > 900 && by < 1'100) || (by < -900 && by > -1'100)) return;  // neither step nor slewing
    agent.SetClock(by);
  });
  Some(3, [this] { world_.collector->offset = world_.dice.Between(-20'000, 20'000); });
}

void Faults::Damage() {
  Some(3, [this] {
    AgentActor& agent = AnyAgent();
    const auto names = agent.disk.Names();
    if (names.empty()) return;
    const std::string& name =
        names[static_cast<size_t>(world_.dice.Below(static_cast<int64_t>(names.size())))];
    std::string& bytes = agent.disk.content(name);
    if (bytes.empty()) return;
    const auto at = static_cast<size_t>(world_.dice.Below(static_cast<int64_t>(bytes.size())));
    world_.Trace(agent.name() + ": byte " + std::to_string(at) + " of " + name + " flips");
    const DiskFacts before = agent.disk.Facts();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << world_.dice.Below(8)));
    world_.AuditDamage(agent, before);
  });
}

void Faults::AgentImages() {
  Some(2, [this] {
    const auto index =
        static_cast<size_t>(world_.dice.Below(static_cast<int64_t>(world_.agents.size())));
    AgentActor& agent = *world_.agents[index];
    if (!disks_.contains(index)) {
      disks_.emplace(index, agent.disk);
      return;
    }
    if (agent.alive()) agent.Die(/*power=*/true, false);
    world_.Trace(agent.name() + "'s disk is as it was");
    agent.disk = std::as_const(disks_.at(index));
    agent.restored = true;
    world_.AuditRestore(agent);
  });
}

void Faults::LedgerImages() {
  Some(2, [this] {
    CollectorActor& collector = *world_.collector;
    if (ledger_ == nullptr && !world_.dice.OneIn(3)) {
      world_.Trace("the ledger is backed up");
      ledger_ = std::make_shared<LedgerImage>(*collector.image());
      return;
    }
    collector.Die();
    collector.Replace(ledger_ != nullptr ? std::make_shared<LedgerImage>(*ledger_)
                                         : collector.NewImage());
    world_.Trace("the ledger is now " + collector.image()->id);
    for (const auto& agent : world_.agents) world_.AuditRestore(*agent);
    world_.scheduler.In(world_.dice.Between(1, 60'000), [&collector] { collector.Start(); });
  });
}

}  // namespace oppetid::simulation
