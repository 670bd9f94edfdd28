// host: how the machine itself is: CPU, memory, load, filesystems, disks, network devices, clock,
// failed units, pending updates. Ok unless a level of its configuration is reached; without levels
// it only measures. Unknown when /proc cannot be read, or something that has a level cannot.
//
// What cannot be read has no metric, never a 0. All files are read on the agent's thread: /proc
// answers from memory, in some sixty microseconds for all of them.
#include "agent/sensors/host.h"

#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>

#include "agent/sensors/host_levels.h"
#include "agent/sensors/host_proc.h"
#include "agent/sensors/host_units.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr double kBytesPerSector = 512;  // in /proc/diskstats, whatever the disk's own are
// Memory for what has been seen of devices; a host that has had more starts to ask anew.
constexpr size_t kMaxRemembered = 1000;

void Add(Answer& answer, std::string_view family, Labels labels, double value) {
  answer.samples.push_back({std::string(family), std::move(labels), value});
}

void Add(Answer& answer, std::string_view family, const std::optional<uint64_t>& value) {
  if (value) Add(answer, family, {}, static_cast<double>(*value));
}

// Whether a name can be a label as it stands. One made fit could be taken for another's.
bool IsPlain(const std::string& name) { return OneLine(name) == name; }

std::string Decimals(double value, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return buffer.data();
}

class HostSensor : public Sensor {
 public:
  HostSensor(HostLevels levels, World& world, HostCalls calls)
      : levels_(std::move(levels)),
        world_(world),
        adjtimex_(std::move(calls.adjtimex)),
        filesystems_(world, std::move(calls.statvfs)),
        units_(world),
        updates_(world, std::move(calls.simulate_upgrade)) {
    for (const std::string& pattern : levels_.ignored_mountpoints) {
      ignored_.push_back(std::make_unique<RE2>(pattern, RE2::Quiet));
    }
  }

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    Verdict verdict;
    const auto unreadable = AskProc(answer, verdict);
    if (!unreadable.empty()) {
      answer = Answer{};
      answer.text = OneLine(unreadable);
      co_return answer;
    }
    AskDisks(answer);
    AskNetwork(answer);
    AskClock(answer, verdict);
    AskReboot(answer, verdict);
    AskUpdates(answer, verdict);
    if (ReadMounts(verdict)) {
      const Mounts mounts = mounts_;
      const std::vector<FilesystemUse> uses = co_await filesystems_.Ask(mounts);
      TellFilesystems(*mounts, uses, answer, verdict);
    }
    TellUnits(co_await units_.Ask(), answer, verdict);
    answer.state = verdict.state();
    answer.text = verdict.Text();
    co_return answer;
  }

 private:
  std::string AskProc(Answer& answer, Verdict& verdict);
  void TellCpu(std::string_view text, Answer& answer) const;
  void TellMemory(const Memory& memory, Answer& answer, Verdict& verdict) const;
  void TellLoad(const Load& load, Answer& answer, Verdict& verdict) const;
  void AskDisks(Answer& answer);
  bool IsWholeDisk(const std::string& name);
  void AskNetwork(Answer& answer);
  void AskClock(Answer& answer, Verdict& verdict);
  void AskReboot(Answer& answer, Verdict& verdict) const;
  void AskUpdates(Answer& answer, Verdict& verdict);
  bool ReadMounts(Verdict& verdict);
  bool IsIgnored(const Mount& mount) const;
  void TellFilesystems(const std::vector<Mount>& mounts, const std::vector<FilesystemUse>& uses,
                       Answer& answer, Verdict& verdict) const;
  void TellFilesystem(const Mount& mount, const FilesystemUse& use, Answer& answer,
                      Verdict& verdict) const;
  void TellUnits(std::optional<uint32_t> failed, Answer& answer, Verdict& verdict) const;
  bool Exists(std::string_view path) const {
    return ::access((world_.root + std::string(path)).c_str(), F_OK) == 0;
  }

  const HostLevels levels_;
  World& world_;
  const std::function<int(timex*)> adjtimex_;
  std::vector<std::unique_ptr<RE2>> ignored_;
  Filesystems filesystems_;
  FailedUnits units_;
  PendingUpdates updates_;
  ProcFile stat_{world_.root + "/proc/stat"};
  ProcFile meminfo_{world_.root + "/proc/meminfo"};
  ProcFile loadavg_{world_.root + "/proc/loadavg"};
  ProcFile uptime_{world_.root + "/proc/uptime"};
  ProcFile diskstats_{world_.root + "/proc/diskstats"};
  ProcFile net_dev_{world_.root + "/proc/net/dev"};
  ProcFile mountinfo_{world_.root + "/proc/self/mountinfo"};
  Mounts mounts_;  // as of the last change; null when they could not be read
  std::map<std::string, bool> whole_disks_;
};

// The files that every Linux has; returns why, when none of the three that matter can be read.
std::string HostSensor::AskProc(Answer& answer, Verdict& verdict) {
  const auto stat = stat_.Read();
  const auto meminfo = meminfo_.Read();
  const auto loadavg = loadavg_.Read();
  if (!stat.ok() && !meminfo.ok() && !loadavg.ok()) {
    return "cannot look at the host: " + std::string(stat.status().message());
  }
  if (stat.ok()) TellCpu(*stat, answer);
  TellMemory(meminfo.ok() ? ParseMemory(*meminfo) : Memory{}, answer, verdict);
  const auto load = loadavg.ok() ? ParseLoad(*loadavg) : std::nullopt;
  if (load) {
    TellLoad(*load, answer, verdict);
  } else {
    verdict.Missing(levels_.load, "the load cannot be read");
  }
  const auto uptime = uptime_.Read();
  const auto seconds = uptime.ok() ? ParseUptime(*uptime) : std::nullopt;
  if (seconds) Add(answer, "host_uptime_seconds", {}, *seconds);
  return "";
}

void HostSensor::TellCpu(std::string_view text, Answer& answer) const {
  static const double kTicksPerSecond = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const KernelStat stat = ParseKernelStat(text);
  for (size_t i = 0; i < stat.cpu_ticks.size(); ++i) {
    Add(answer, "host_cpu_seconds_total", {{"mode", CpuModes()[i]}},
        static_cast<double>(stat.cpu_ticks[i]) / kTicksPerSecond);
  }
  Add(answer, "host_boot_time_seconds", stat.boot_time);
}

void HostSensor::TellMemory(const Memory& memory, Answer& answer, Verdict& verdict) const {
  Add(answer, "host_memory_total_bytes", memory.total);
  Add(answer, "host_memory_available_bytes", memory.available);
  Add(answer, "host_memory_free_bytes", memory.free);
  Add(answer, "host_memory_buffers_bytes", memory.buffers);
  Add(answer, "host_memory_cached_bytes", memory.cached);
  Add(answer, "host_memory_swap_total_bytes", memory.swap_total);
  Add(answer, "host_memory_swap_free_bytes", memory.swap_free);
  if (memory.total && memory.available) {
    const int64_t used =
        Share(*memory.total - std::min(*memory.available, *memory.total), *memory.total);
    verdict.Judge(levels_.memory, used, "memory " + FormatShare(used) + " used");
    verdict.Summarise("memory " + FormatShare(used) + " used");
  } else {
    verdict.Missing(levels_.memory, "available memory cannot be read");
  }
  if (memory.swap_total && memory.swap_free) {
    const int64_t used = Share(*memory.swap_total - std::min(*memory.swap_free, *memory.swap_total),
                               *memory.swap_total);
    verdict.Judge(levels_.swap, used, "swap " + FormatShare(used) + " used");
  } else {
    verdict.Missing(levels_.swap, "swap cannot be read");
  }
}

void HostSensor::TellLoad(const Load& load, Answer& answer, Verdict& verdict) const {
  Add(answer, "host_load1", {}, load.one);
  Add(answer, "host_load5", {}, load.five);
  Add(answer, "host_load15", {}, load.fifteen);
  // A load that does not fit is beyond every level there can be.
  const int64_t thousandths = std::llround(std::min(load.five, 1e12) * 1000);
  const std::string text = "load " + Decimals(load.five, 2);
  verdict.Judge(levels_.load, thousandths, text);
  verdict.Summarise(text);
}

void HostSensor::AskDisks(Answer& answer) {
  const auto text = diskstats_.Read();
  if (!text.ok()) return;
  for (const DiskIo& disk : ParseDiskIo(*text)) {
    if (!IsPlain(disk.name) || !IsWholeDisk(disk.name)) continue;
    const Labels labels = {{"device", disk.name}};
    Add(answer, "host_disk_read_bytes_total", labels,
        static_cast<double>(disk.sectors_read) * kBytesPerSector);
    Add(answer, "host_disk_written_bytes_total", labels,
        static_cast<double>(disk.sectors_written) * kBytesPerSector);
    Add(answer, "host_disk_reads_completed_total", labels, static_cast<double>(disk.reads));
    Add(answer, "host_disk_writes_completed_total", labels, static_cast<double>(disk.writes));
    Add(answer, "host_disk_io_time_seconds_total", labels, static_cast<double>(disk.io_ms) / 1000);
  }
}

// Only a disk has a device under it: partitions, loop, ram, zram, dm and md have none. Optical and
// floppy drives have, but hold no system.
bool HostSensor::IsWholeDisk(const std::string& name) {
  const auto known = whole_disks_.find(name);
  if (known != whole_disks_.end()) return known->second;
  if (whole_disks_.size() >= kMaxRemembered) whole_disks_.clear();
  std::string file = name;
  std::replace(file.begin(), file.end(), '/', '!');  // as sysfs writes cciss/c0d0
  const bool whole = !name.starts_with("sr") && !name.starts_with("fd") &&
                     Exists("/sys/block/" + file + "/device");
  whole_disks_[name] = whole;
  return whole;
}

void HostSensor::AskNetwork(Answer& answer) {
  const auto text = net_dev_.Read();
  if (!text.ok()) return;
  for (const NetDevice& device : ParseNetDevices(*text)) {
    if (!IsPlain(device.name)) continue;
    const Labels labels = {{"device", device.name}};
    const auto add = [&](std::string_view family, uint64_t value) {
      Add(answer, family, labels, static_cast<double>(value));
    };
    add("host_network_receive_bytes_total", device.receive_bytes);
    add("host_network_receive_packets_total", device.receive_packets);
    add("host_network_receive_errors_total", device.receive_errors);
    add("host_network_receive_drops_total", device.receive_drops);
    add("host_network_transmit_bytes_total", device.transmit_bytes);
    add("host_network_transmit_packets_total", device.transmit_packets);
    add("host_network_transmit_errors_total", device.transmit_errors);
    add("host_network_transmit_drops_total", device.transmit_drops);
  }
}

void HostSensor::AskClock(Answer& answer, Verdict& verdict) {
  timex clock{};  // modes 0: only reads, which everybody may
  if (adjtimex_(&clock) < 0) {
    verdict.Missing(levels_.time_offset, "the kernel's clock state cannot be read");
    return;
  }
  const bool synchronised = (clock.status & STA_UNSYNC) == 0;
  Add(answer, "host_time_synchronised", {}, synchronised ? 1 : 0);
  if (!synchronised) {  // the kernel's offset means nothing then
    if (levels_.time_offset.given()) verdict.Add(State::kWarning, "clock not synchronised");
    return;
  }
  const double per_second = (clock.status & STA_NANO) != 0 ? 1e9 : 1e6;
  const double offset = static_cast<double>(clock.offset) / per_second;
  Add(answer, "host_time_offset_seconds", {}, offset);
  verdict.Judge(levels_.time_offset, static_cast<int64_t>(std::abs(offset) * 1000),
                "clock off by " + Decimals(offset, 3) + " s");
}

// 0 only where something would have put the file there.
void HostSensor::AskReboot(Answer& answer, Verdict& verdict) const {
  if (Exists("/run/reboot-required") || Exists("/var/run/reboot-required")) {
    Add(answer, "host_reboot_required", {}, 1);
    if (levels_.reboot_required != State::kOk) {
      verdict.Add(levels_.reboot_required, "reboot required");
    }
    return;
  }
  if (Exists("/etc/kernel/postinst.d/unattended-upgrades") ||
      Exists("/etc/kernel/postinst.d/update-notifier")) {
    Add(answer, "host_reboot_required", {}, 0);
  } else if (levels_.reboot_required != State::kOk) {
    verdict.Add(State::kUnknown, "no package here tells when a reboot is required");
  }
}

void HostSensor::AskUpdates(Answer& answer, Verdict& verdict) {
  using Knowledge = PendingUpdates::Knowledge;
  updates_.Look();
  const Knowledge knowledge = updates_.knowledge();
  if (knowledge == Knowledge::kCounted) {
    const UpdateCounts counts = updates_.counts();
    Add(answer, "host_updates_pending", {{"security", "true"}}, counts.security);
    Add(answer, "host_updates_pending", {{"security", "false"}}, counts.other);
    verdict.Judge(levels_.security_updates, counts.security,
                  std::to_string(counts.security) + " security updates pending");
    const int all = counts.security + counts.other;
    verdict.Judge(levels_.updates, all, std::to_string(all) + " updates pending");
  } else if (knowledge != Knowledge::kNotYet) {
    const Levels& levels =
        levels_.security_updates.given() ? levels_.security_updates : levels_.updates;
    verdict.Missing(levels, knowledge == Knowledge::kFailed ? "apt cannot tell pending updates"
                                                            : "no package lists of apt here");
  }
}

// Parses the mounts when they have changed; false when they cannot be read.
bool HostSensor::ReadMounts(Verdict& verdict) {
  if (mountinfo_.Changed()) mounts_ = nullptr;
  if (mounts_ == nullptr) {
    const auto text = mountinfo_.Read();
    if (!text.ok()) {
      verdict.Missing(levels_.filesystems, "the mounts cannot be read");
      return false;
    }
    std::vector<Mount> mounts = ParseMounts(*text);
    std::erase_if(
        mounts, [&](const Mount& mount) { return !IsPlain(mount.mountpoint) || IsIgnored(mount); });
    mounts_ = std::make_shared<const std::vector<Mount>>(std::move(mounts));
  }
  return true;
}

bool HostSensor::IsIgnored(const Mount& mount) const {
  return std::any_of(ignored_.begin(), ignored_.end(), [&](const std::unique_ptr<RE2>& regex) {
    return RE2::PartialMatch(mount.mountpoint, *regex);
  });
}

void HostSensor::TellFilesystems(const std::vector<Mount>& mounts,
                                 const std::vector<FilesystemUse>& uses, Answer& answer,
                                 Verdict& verdict) const {
  using Seen = FilesystemUse::Seen;
  size_t not_asked = 0;
  for (size_t i = 0; i < uses.size(); ++i) {
    switch (uses[i].seen) {
      case Seen::kKnown:
        TellFilesystem(mounts[i], uses[i], answer, verdict);
        break;
      case Seen::kHanging:
        verdict.Missing(levels_.filesystems, OneLine(mounts[i].mountpoint, 40) + " hangs");
        verdict.Summarise(OneLine(mounts[i].mountpoint, 40) + " hangs");
        break;
      case Seen::kFailed:
        verdict.Missing(levels_.filesystems,
                        OneLine(mounts[i].mountpoint, 30) + ": " + std::strerror(uses[i].error));
        break;
      case Seen::kNotAsked:
        ++not_asked;
        break;
      case Seen::kHidden:
        break;
    }
  }
  if (not_asked > 0) {
    verdict.Missing(levels_.filesystems,
                    std::to_string(not_asked) + " filesystems could not be asked");
  }
}

void HostSensor::TellFilesystem(const Mount& mount, const FilesystemUse& use, Answer& answer,
                                Verdict& verdict) const {
  if (use.size == 0) return;
  const Labels labels = {{"mountpoint", mount.mountpoint}, {"fstype", OneLine(mount.fstype)}};
  const auto add = [&](std::string_view family, uint64_t value) {
    Add(answer, family, labels, static_cast<double>(value));
  };
  add("host_filesystem_size", use.size);
  add("host_filesystem_avail", use.avail);
  const std::string where = OneLine(mount.mountpoint, 40);
  const int64_t full = Share(use.size - std::min(use.avail, use.size), use.size);
  verdict.Judge(levels_.filesystems, full, where + " " + FormatShare(full) + " full");
  if (mount.mountpoint == "/") verdict.Summarise("/ " + FormatShare(full) + " full");
  if (use.files == 0) return;  // btrfs, vfat: no fixed number of inodes
  add("host_filesystem_files", use.files);
  add("host_filesystem_files_free", use.files_free);
  const int64_t taken = Share(use.files - std::min(use.files_free, use.files), use.files);
  verdict.Judge(levels_.filesystems, taken, where + " " + FormatShare(taken) + " of inodes used");
}

void HostSensor::TellUnits(std::optional<uint32_t> failed, Answer& answer, Verdict& verdict) const {
  if (!failed) {
    verdict.Missing(levels_.units_failed, "systemd does not answer");
    return;
  }
  Add(answer, "host_units_failed", {}, *failed);
  verdict.Judge(levels_.units_failed, *failed, std::to_string(*failed) + " units failed");
}

}  // namespace

std::unique_ptr<Sensor> MakeHostSensor(YamlMap& config, World& world, HostCalls calls) {
  return std::make_unique<HostSensor>(ReadHostLevels(config), world, std::move(calls));
}

std::unique_ptr<Sensor> MakeHostSensor(YamlMap& config, World& world) {
  return MakeHostSensor(
      config, world,
      {.statvfs = ::statvfs, .adjtimex = ::adjtimex, .simulate_upgrade = RunAptSimulation});
}

}  // namespace oppetid::agent
