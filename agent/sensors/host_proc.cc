#include "agent/sensors/host_proc.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

namespace oppetid::agent {
namespace {

// /proc/stat of 1000 CPUs with all its interrupts is 300 kB, mountinfo of 2000 mounts 400 kB.
constexpr size_t kMaxProcBytes = 2'000'000;
constexpr size_t kFirstBuffer = 4096;
// Each device is five to eight series; beyond this a host is a storage array or a router.
constexpr size_t kMaxDevices = 64;
// Each filesystem is four series and a statvfs.
constexpr size_t kMaxMounts = 64;

std::string_view NextLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// The next field between blanks; empty at the end of the line.
std::string_view NextField(std::string_view& line) {
  const size_t start = std::min(line.find_first_not_of(" \t"), line.size());
  const size_t end = std::min(line.find_first_of(" \t", start), line.size());
  const std::string_view field = line.substr(start, end - start);
  line.remove_prefix(end);
  return field;
}

std::optional<uint64_t> ParseCount(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || parsed != end) return std::nullopt;
  return value;
}

std::optional<double> ParseAmount(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || parsed != end || !std::isfinite(value) || value < 0) {
    return std::nullopt;
  }
  return value;
}

// Fills `counts` from the line's next fields; false when one is missing or no number.
template <size_t N>
bool ReadCounts(std::string_view& line, std::array<uint64_t, N>& counts) {
  for (uint64_t& count : counts) {
    const auto value = ParseCount(NextField(line));
    if (!value) return false;
    count = *value;
  }
  return true;
}

template <size_t N>
bool StartsWithOne(std::string_view text, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Devices that containers, virtual machines and the kernel itself make: their traffic is counted
// at the real device, and their names come and go.
bool IsNoise(std::string_view device) {
  static constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"veth", "docker", "br-", "virbr", "vnet", "tap", "cali", "cni", "flannel", "lxc", "ifb",
       "dummy", "ip6tnl", "sit0", "tunl0", "podman"});
  return device == "lo" || StartsWithOne(device, kPrefixes);
}

// mountinfo writes blank, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  const auto octal = [&](size_t i) { return text[i] >= '0' && text[i] <= '7'; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' && octal(i + 1) &&
        octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<Mount> ParseMount(std::string_view line) {
  Mount mount;
  NextField(line);  // id
  NextField(line);  // parent
  mount.device = NextField(line);
  mount.root = Unescape(NextField(line));
  mount.mountpoint = Unescape(NextField(line));
  const size_t separator = line.find(" - ");
  if (separator == std::string_view::npos || !mount.mountpoint.starts_with('/')) {
    return std::nullopt;
  }
  line.remove_prefix(separator + 3);
  mount.fstype = NextField(line);
  if (mount.device.empty() || mount.fstype.empty()) return std::nullopt;
  static constexpr auto kRemote = std::to_array<std::string_view>(
      {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "glusterfs", "lustre", "ocfs2", "gfs2",
       "ncpfs", "virtiofs", "davfs"});
  // Behind a fuse filesystem is a program, which can hang as well as a server can.
  mount.remote = IsOneOf(mount.fstype, kRemote) || mount.fstype.starts_with("fuse");
  return mount;
}

bool CanFillUp(const Mount& mount) {
  static constexpr auto kPseudo = std::to_array<std::string_view>(
      {"autofs",         "binfmt_misc", "bpf",       "cgroup",   "cgroup2",
       "configfs",       "cpuset",      "debugfs",   "devfs",    "devpts",
       "devtmpfs",       "efivarfs",    "erofs",     "fusectl",  "fuse.gvfsd-fuse",
       "fuse.lxcfs",     "fuse.portal", "hugetlbfs", "iso9660",  "mqueue",
       "nfsd",           "nsfs",        "nullfs",    "overlay",  "proc",
       "pstore",         "ramfs",       "resctrl",   "rootfs",   "rpc_pipefs",
       "securityfs",     "selinuxfs",   "smackfs",   "squashfs", "sysfs",
       "tracefs",        "udf",         "usbfs",     "xenfs",    "fuse.snapfuse",
       "fuse.squashfuse"});
  static constexpr auto kNotOurs = std::to_array<std::string_view>(
      {"/dev/", "/proc/", "/sys/", "/run/user/", "/run/credentials/", "/var/lib/docker/",
       "/var/lib/containers/", "/var/lib/kubelet/", "/run/docker/", "/run/netns/", "/snap/"});
  // Inside a container the root is an overlay, and filling it is felt.
  if (mount.mountpoint == "/") return mount.fstype != "rootfs";
  return !IsOneOf(mount.fstype, kPseudo) && !StartsWithOne(mount.mountpoint, kNotOurs);
}

// Which of two mounts of one device stands for it.
bool Better(const Mount& a, const Mount& b) {
  if ((a.root == "/") != (b.root == "/")) return a.root == "/";
  return a.mountpoint.size() < b.mountpoint.size();
}

}  // namespace

ProcFile::~ProcFile() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<std::string_view> ProcFile::Read() {
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  size_t size = 0;
  while (fd_ >= 0) {
    if (buffer_.size() - size < kFirstBuffer / 2) {
      buffer_.resize(std::max(kFirstBuffer, buffer_.size() * 2));
    }
    const ssize_t got =
        ::pread(fd_, buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    size += static_cast<size_t>(got);
    if (size > kMaxProcBytes) return absl::ResourceExhaustedError(path_ + " is larger than 2 MB");
    if (got == 0) return std::string_view(buffer_.data(), size);
  }
  const absl::Status error = absl::ErrnoToStatus(errno, "read " + path_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  return error;
}

bool ProcFile::Changed() {
  if (fd_ < 0) return true;
  pollfd poll{fd_, POLLPRI, 0};
  return ::poll(&poll, 1, 0) != 0 && (poll.revents & (POLLPRI | POLLERR)) != 0;
}

const std::vector<std::string>& CpuModes() {
  static const auto* const kModes = new std::vector<std::string>{
      "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
  return *kModes;
}

KernelStat ParseKernelStat(std::string_view text) {
  KernelStat stat;
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    if (line.starts_with("cpu ")) {
      NextField(line);
      stat.cpu_ticks.clear();
      while (stat.cpu_ticks.size() < CpuModes().size()) {
        const auto ticks = ParseCount(NextField(line));
        if (!ticks) break;
        stat.cpu_ticks.push_back(*ticks);
      }
    } else if (line.starts_with("btime ")) {
      NextField(line);
      stat.boot_time = ParseCount(NextField(line));
    }
  }
  return stat;
}

Memory ParseMemory(std::string_view text) {
  Memory memory;
  const std::pair<std::string_view, std::optional<uint64_t>*> wanted[] = {
      {"MemTotal:", &memory.total},         {"MemFree:", &memory.free},
      {"MemAvailable:", &memory.available}, {"Buffers:", &memory.buffers},
      {"Cached:", &memory.cached},          {"SwapTotal:", &memory.swap_total},
      {"SwapFree:", &memory.swap_free}};
  while (!text.empty()) {
    std::string_view line = NextLine(text);
    const std::string_view name = NextField(line);
    for (const auto& [key, value] : wanted) {
      if (name != key) continue;
      const auto kilobytes = ParseCount(NextField(line));
      if (kilobytes && *kilobytes <= UINT64_MAX / 1024) *value = *kilobytes * 1024;
    }
  }
  return memory;
}

std::optional<Load> ParseLoad(std::string_view text) {
  std::string_view line = NextLine(text);
  const auto one = ParseAmount(NextField(line));
  const auto five = ParseAmount(NextField(line));
  const auto fifteen = ParseAmount(NextField(line));
  if (!one || !five || !fifteen) return std::nullopt;
  return Load{*one, *five, *fifteen};
}

std::optional<double> ParseUptime(std::string_view text) {
  std::string_view line = NextLine(text);
  return ParseAmount(NextField(line));
}

std::vector<DiskIo> ParseDiskIo(std::string_view text) {
  std::vector<DiskIo> disks;
  while (!text.empty() && disks.size() < kMaxDevices * 16) {  // partitions go later
    std::string_view line = NextLine(text);
    NextField(line);  // major
    NextField(line);  // minor
    DiskIo disk;
    disk.name = NextField(line);
    // reads, merged, sectors, ms, writes, merged, sectors, ms, under way, ms with work under way
    std::array<uint64_t, 10> counts{};
    if (disk.name.empty() || !ReadCounts(line, counts)) continue;
    disk.reads = counts[0];
    disk.sectors_read = counts[2];
    disk.writes = counts[4];
    disk.sectors_written = counts[6];
    disk.io_ms = counts[9];
    disks.push_back(std::move(disk));
  }
  return disks;
}

std::vector<NetDevice> ParseNetDevices(std::string_view text) {
  std::vector<NetDevice> devices;
  while (!text.empty() && devices.size() < kMaxDevices) {
    std::string_view line = NextLine(text);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;  // the two lines of heading
    std::string_view name = line.substr(0, colon);
    NetDevice device;
    device.name = NextField(name);
    line.remove_prefix(colon + 1);
    std::array<uint64_t, 16> counts{};
    if (device.name.empty() || IsNoise(device.name) || !ReadCounts(line, counts)) continue;
    device.receive_bytes = counts[0];
    device.receive_packets = counts[1];
    device.receive_errors = counts[2];
    device.receive_drops = counts[3];
    device.transmit_bytes = counts[8];
    device.transmit_packets = counts[9];
    device.transmit_errors = counts[10];
    device.transmit_drops = counts[11];
    devices.push_back(std::move(device));
  }
  return devices;
}

std::vector<Mount> ParseMounts(std::string_view text) {
  std::vector<Mount> mounts;
  // Of mounts over each other only the last is seen, whatever its type.
  while (!text.empty()) {
    auto mount = ParseMount(NextLine(text));
    if (!mount) continue;
    std::erase_if(mounts, [&](const Mount& m) { return m.mountpoint == mount->mountpoint; });
    if (!CanFillUp(*mount)) continue;
    if (mounts.size() >= 4 * kMaxMounts) break;  // bind mounts of one device go below
    mounts.push_back(std::move(*mount));
  }
  std::vector<Mount> real;
  for (Mount& mount : mounts) {
    const auto same = std::find_if(real.begin(), real.end(),
                                   [&](const Mount& m) { return m.device == mount.device; });
    if (same == real.end()) {
      real.push_back(std::move(mount));
    } else if (Better(mount, *same)) {
      *same = std::move(mount);
    }
  }
  std::stable_sort(real.begin(), real.end(),
                   [](const Mount& a, const Mount& b) { return a.remote < b.remote; });
  if (real.size() > kMaxMounts) real.resize(kMaxMounts);
  return real;
}

}  // namespace oppetid::agent
