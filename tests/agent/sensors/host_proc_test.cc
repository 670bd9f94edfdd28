#include "agent/sensors/host_proc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/file.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string Captured(const std::string& name) {
  auto text = ReadFile(OPPETID_SOURCE_DIR "/tests/testdata/host/" + name);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

std::vector<std::string> Mountpoints(std::string_view mountinfo) {
  std::vector<std::string> result;
  for (const Mount& mount : ParseMounts(mountinfo)) result.push_back(mount.mountpoint);
  return result;
}

TEST(ParseKernelStat, ReadsAllCpusTogetherAndTheBoot) {
  const KernelStat stat = ParseKernelStat(Captured("proc/stat"));
  EXPECT_THAT(stat.cpu_ticks,
              ElementsAre(4705812, 1873, 1204559, 187350918, 95231, 0, 30417, 2219));
  EXPECT_EQ(stat.boot_time, 1795321054);
}

TEST(ParseKernelStat, OddTextHasNoNumbers) {
  EXPECT_THAT(ParseKernelStat("cpu  12 x 3").cpu_ticks, ElementsAre(12));
  EXPECT_THAT(ParseKernelStat("cpu  99999999999999999999 1\nbtime -4\n").cpu_ticks, IsEmpty());
  EXPECT_EQ(ParseKernelStat("btime -4").boot_time, std::nullopt);
  EXPECT_EQ(ParseKernelStat("btime").boot_time, std::nullopt);
}

TEST(ParseMemory, ReadsBytes) {
  const Memory memory = ParseMemory(Captured("proc/meminfo"));
  EXPECT_EQ(memory.total, 8140452ULL * 1024);
  EXPECT_EQ(memory.available, 2035113ULL * 1024);
  EXPECT_EQ(memory.cached, 2377640ULL * 1024);  // not SwapCached
  EXPECT_EQ(memory.swap_free, 249855ULL * 1024);
}

TEST(ParseMemory, WhatIsMissingOrTooLargeIsAbsent) {
  const Memory memory = ParseMemory("MemTotal: 18446744073709551615 kB\nMemFree:\nBuffers: -1 kB");
  EXPECT_EQ(memory.total, std::nullopt);
  EXPECT_EQ(memory.free, std::nullopt);
  EXPECT_EQ(memory.buffers, std::nullopt);
}

TEST(ParseLoad, TakesThreeNumbersOrNothing) {
  EXPECT_EQ(ParseLoad("3.91 4.02 2.75 3/412 28811\n")->five, 4.02);
  for (const char* odd : {"", "1.0 2.0", "1 2 x", "nan 1 1", "-1 1 1", "inf 1 1", "1e400 1 1"}) {
    EXPECT_FALSE(ParseLoad(odd)) << odd;
  }
}

TEST(ParseUptime, TakesTheFirstNumber) {
  EXPECT_EQ(ParseUptime("97213.52 187350.91\n"), 97213.52);
  EXPECT_EQ(ParseUptime("\n"), std::nullopt);
}

TEST(ParseDiskIo, ReadsLongAndShortLines) {
  const auto disks = ParseDiskIo(Captured("proc/diskstats"));
  ASSERT_THAT(disks, SizeIs(6));
  EXPECT_EQ(disks[1].name, "sda");
  EXPECT_EQ(disks[1].reads, 37777u);
  EXPECT_EQ(disks[1].sectors_read, 3796058u);
  EXPECT_EQ(disks[1].writes, 27672u);
  EXPECT_EQ(disks[1].sectors_written, 2344472u);
  EXPECT_EQ(disks[1].io_ms, 8788u);
  EXPECT_EQ(disks[5].io_ms, 700u);
  EXPECT_THAT(ParseDiskIo("8 0 sda 1 2 3\n8 0\n\n8 16 sdb 1 2 3 4 5 6 7 8 9 -10"), IsEmpty());
}

TEST(ParseNetDevices, LeavesOutLoopbackAndContainers) {
  const auto devices = ParseNetDevices(Captured("proc/net/dev"));
  ASSERT_THAT(devices, SizeIs(2));
  EXPECT_EQ(devices[0].name, "enp1s0");
  EXPECT_EQ(devices[0].receive_bytes, 114020739u);
  EXPECT_EQ(devices[0].receive_errors, 1u);
  EXPECT_EQ(devices[0].receive_drops, 2u);
  EXPECT_EQ(devices[0].transmit_packets, 1430u);
  EXPECT_EQ(devices[0].transmit_drops, 4u);
  EXPECT_EQ(devices[1].name, "bond0");
  EXPECT_THAT(ParseNetDevices("eth0: 1 2 3\n : 1\neth1:"), IsEmpty());
}

TEST(ParseMounts, TakesEachRealFilesystemOnceAndRemoteOnesLast) {
  EXPECT_THAT(Mountpoints(Captured("proc/self/mountinfo")),
              ElementsAre("/run", "/", "/srv/with blank", "/mnt/auto", "/srv/share"));
  const auto mounts = ParseMounts(Captured("proc/self/mountinfo"));
  EXPECT_TRUE(mounts.back().remote);
  EXPECT_EQ(mounts[3].fstype, "ext4");  // not the autofs under it
}

TEST(ParseMounts, PrefersTheWholeFilesystemToItsBindMounts) {
  EXPECT_THAT(Mountpoints("1 0 8:1 /sub /a rw - ext4 d rw\n2 0 8:1 / /long/way rw - ext4 d rw\n"
                          "3 0 8:1 / /longer/way rw - ext4 d rw"),
              ElementsAre("/long/way"));
}

TEST(ParseMounts, AnOverlayCountsOnlyAsRoot) {
  EXPECT_THAT(Mountpoints("1 0 0:9 / / rw - overlay o rw\n2 0 0:8 / /x rw - overlay o rw"),
              ElementsAre("/"));
}

TEST(ParseMounts, OddLinesAreLeftOut) {
  EXPECT_THAT(Mountpoints("\n1 2 3\n1 0 8:1 / /a rw ext4 d rw\n1 0 8:1 / a rw - ext4 d\n"
                          "1 0 8:1 / /a rw - \n1 0 8:2 / /b\\04 rw - ext4"),
              ElementsAre("/b\\04"));
}

TEST(ParseMounts, IsBounded) {
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    const std::string n = std::to_string(i);
    text += n + " 0 8:" + n + " / /m" + n + " rw - ext4 d rw\n";
  }
  EXPECT_THAT(ParseMounts(text), SizeIs(64));
}

// Every text cut at every place: no parser reads beyond it.
TEST(Parsers, BearTruncatedText) {
  for (const char* name : {"proc/stat", "proc/meminfo", "proc/loadavg", "proc/uptime",
                           "proc/diskstats", "proc/net/dev", "proc/self/mountinfo"}) {
    const std::string text = Captured(name);
    for (size_t size = 0; size < text.size(); ++size) {
      const std::string cut = text.substr(0, size);
      EXPECT_LE(ParseKernelStat(cut).cpu_ticks.size(), 8u);
      ParseMemory(cut);
      ParseLoad(cut);
      ParseUptime(cut);
      EXPECT_LE(ParseDiskIo(cut).size(), 6u);
      EXPECT_LE(ParseNetDevices(cut).size(), 2u);
      EXPECT_LE(ParseMounts(cut).size(), 13u);
    }
  }
}

TEST(ProcFile, ReadsAgainAndAgain) {
  ProcFile file("/proc/self/stat");
  ASSERT_TRUE(file.Changed());
  const std::string first(*file.Read());
  EXPECT_THAT(first, testing::StartsWith(std::to_string(::getpid()) + " "));
  EXPECT_FALSE(file.Changed());
  EXPECT_THAT(std::string(*file.Read()), testing::StartsWith(std::to_string(::getpid()) + " "));
}

TEST(ProcFile, ReadsMoreThanOneBufferAndNamesWhatItCannotRead) {
  const std::string path = testing::TempDir() + "/host_proc_test." + std::to_string(::getpid());
  const std::string text(100'000, 'x');
  ASSERT_TRUE(ReplaceFile(path, text).ok());
  ProcFile file(path);
  EXPECT_EQ(*file.Read(), text);
  ::unlink(path.c_str());
  ProcFile none("/proc/no-such-file");
  EXPECT_THAT(std::string(none.Read().status().message()),
              testing::HasSubstr("/proc/no-such-file"));
}

}  // namespace
}  // namespace oppetid::agent
