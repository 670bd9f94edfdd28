// The texts of /proc as numbers: pure parsers for the `host` sensor, and the files they come from.
//
// The parsers take any text: a line or a number that is not as expected reads as absent, never as
// 0, and a list is cut at its bound. Pure functions, safe from any thread. ProcFile is used from
// one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace oppetid::agent {

// A file of /proc that is kept open and read again and again: half the price of opening it anew.
class ProcFile {
 public:
  explicit ProcFile(std::string path) : path_(std::move(path)) {}
  ProcFile(const ProcFile&) = delete;
  ProcFile& operator=(const ProcFile&) = delete;
  ~ProcFile();

  // The whole text; valid until the next Read. After an error the file is opened anew next time.
  absl::StatusOr<std::string_view> Read();
  // Whether the kernel has noted a change since the last call, for the files that tell it by
  // poll(2) (mountinfo). True while the file has not been read yet.
  bool Changed();

 private:
  std::string path_;
  std::string buffer_;
  int fd_ = -1;
};

// /proc/stat.
struct KernelStat {
  // Clock ticks of all CPUs together, in the order of CpuModes(); shorter on old kernels.
  std::vector<uint64_t> cpu_ticks;
  std::optional<uint64_t> boot_time;  // seconds since 1970
};
const std::vector<std::string>& CpuModes();
KernelStat ParseKernelStat(std::string_view text);

// /proc/meminfo, in bytes.
struct Memory {
  std::optional<uint64_t> total, available, free, buffers, cached, swap_total, swap_free;
};
Memory ParseMemory(std::string_view text);

// /proc/loadavg.
struct Load {
  double one = 0, five = 0, fifteen = 0;
};
std::optional<Load> ParseLoad(std::string_view text);

// /proc/uptime: seconds since the boot.
std::optional<double> ParseUptime(std::string_view text);

// /proc/diskstats, partitions and virtual devices included.
struct DiskIo {
  std::string name;
  uint64_t reads = 0, sectors_read = 0, writes = 0, sectors_written = 0, io_ms = 0;
};
std::vector<DiskIo> ParseDiskIo(std::string_view text);

// /proc/net/dev without loopback and the devices that containers and tests come and go with.
struct NetDevice {
  std::string name;
  uint64_t receive_bytes = 0, receive_packets = 0, receive_errors = 0, receive_drops = 0;
  uint64_t transmit_bytes = 0, transmit_packets = 0, transmit_errors = 0, transmit_drops = 0;
};
std::vector<NetDevice> ParseNetDevices(std::string_view text);

// /proc/self/mountinfo.
struct Mount {
  std::string device;      // "8:1"; the same for all mounts of one filesystem
  std::string root;        // what of the filesystem is mounted; "/" unless it is a bind mount
  std::string mountpoint;  // raw bytes, as statvfs wants them
  std::string fstype;
  bool remote = false;  // served by another machine, so that asking for its size may hang
};
// The filesystems that can fill up: no pseudo ones, none of containers, each device once (where it
// is mounted whole, and nearest to the root), of mounts over each other the uppermost; local ones
// first.
std::vector<Mount> ParseMounts(std::string_view text);

}  // namespace oppetid::agent
