#include "agent/sensors/host.h"

#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <map>
#include <mutex>

#include "common/families.h"
#include "common/file.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kCaptured = OPPETID_SOURCE_DIR "/tests/testdata/host";

// Answers for every path as told; counts how often each was asked. Threading: any thread.
class FakeStatvfs {
 public:
  struct Disk {
    uint64_t size = 100'000, avail = 50'000, files = 0, files_free = 0;
    int error = 0;
    std::shared_future<void> until = {};  // hangs until this is ready, where set
  };
  void Set(const std::string& mountpoint, Disk disk) {
    const std::lock_guard lock(mutex_);
    disks_[kCaptured + mountpoint] = std::move(disk);
  }
  int Asked(const std::string& mountpoint) {
    const std::lock_guard lock(mutex_);
    return asked_[kCaptured + mountpoint];
  }
  int operator()(const char* path, struct statvfs* out) {
    std::unique_lock lock(mutex_);
    ++asked_[path];
    const Disk disk = disks_[path];
    lock.unlock();
    if (disk.until.valid()) disk.until.wait();
    out->f_frsize = 1000;
    out->f_blocks = disk.size;
    out->f_bavail = disk.avail;
    out->f_files = disk.files;
    out->f_ffree = disk.files_free;
    errno = disk.error;
    return disk.error == 0 ? 0 : -1;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Disk> disks_;
  std::map<std::string, int> asked_;
};

class HostTest : public SensorFixture {
 protected:
  HostTest() { world_.root = kCaptured; }

  std::unique_ptr<Sensor> MakeHost(const std::string& yaml) {
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    auto sensor = MakeHostSensor(
        map, world_,
        {.statvfs = [this](const char* path, struct statvfs* out) { return disks_(path, out); },
         .adjtimex =
             [this](timex* out) {
               *out = clock_state_;
               return adjtimex_result_;
             },
         .simulate_upgrade = [](const std::atomic<bool>&) { return std::string(); }});
    map.Finish();
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    return sensor;
  }
  Answer AskHost(const std::string& yaml) { return Ask(*MakeHost(yaml)); }

  static std::string StateAndText(const Answer& answer) {
    return std::string(StateName(answer.state)) + ": " + answer.text;
  }

  FakeStatvfs disks_;
  timex clock_state_{};
  int adjtimex_result_ = 0;
};

TEST_F(HostTest, MeasuresWithoutLevels) {
  const Answer answer = AskHost("{}");
  EXPECT_EQ(StateAndText(answer), "ok: memory 75.0 % used, load 4.02, / 50.0 % full");
  EXPECT_DOUBLE_EQ(*Value(answer, "host_cpu_seconds_total", {{"mode", "user"}}),
                   4705812.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  EXPECT_EQ(Value(answer, "host_boot_time_seconds"), 1795321054.0);
  EXPECT_EQ(Value(answer, "host_uptime_seconds"), 97213.52);
  EXPECT_EQ(Value(answer, "host_memory_available_bytes"), 2035113.0 * 1024);
  EXPECT_EQ(Value(answer, "host_load15"), 2.75);
  EXPECT_EQ(Value(answer, "host_network_receive_bytes_total", {{"device", "enp1s0"}}), 114020739.0);
  EXPECT_EQ(Value(answer, "host_filesystem_avail",
                  {{"mountpoint", "/srv/with blank"}, {"fstype", "xfs"}}),
            50e6);
}

TEST_F(HostTest, TakesWholeDisksOnly) {
  std::vector<std::string> disks;
  const Answer answer = AskHost("{}");
  for (const Sample& sample : answer.samples) {
    if (sample.family == "host_disk_io_time_seconds_total") {
      disks.push_back(sample.labels.front().second);
    }
  }
  EXPECT_THAT(disks, ElementsAre("sda", "nvme0n1"));
  EXPECT_EQ(Value(answer, "host_disk_read_bytes_total", {{"device", "sda"}}), 3796058.0 * 512);
  EXPECT_EQ(Value(answer, "host_disk_io_time_seconds_total", {{"device", "sda"}}), 8.788);
}

TEST_F(HostTest, EverySampleHasAFamilyWithItsLabels) {
  disks_.Set("/", {.files = 10, .files_free = 5});
  for (const Sample& sample : AskHost("{}").samples) {
    const Family* family = FindFamily(sample.family);
    ASSERT_NE(family, nullptr) << sample.family;
    std::string names;
    for (const auto& label : sample.labels) names += (names.empty() ? "" : ",") + label.first;
    EXPECT_EQ(names, family->labels) << sample.family;
  }
}

TEST_F(HostTest, AValueThatReachesALevelIsInIt) {
  EXPECT_EQ(StateAndText(AskHost("{memory: {warning: 75 %}}")), "warning: memory 75.0 % used");
  EXPECT_EQ(AskHost("{memory: {warning: 75.000001 %}}").state, State::kOk);
  EXPECT_EQ(StateAndText(AskHost("{swap: {warning: 50 %, critical: 75 %}}")),
            "critical: swap 75.0 % used");
  EXPECT_EQ(StateAndText(AskHost("{load: {warning: 4.02, critical: 8}}")), "warning: load 4.02");
  EXPECT_EQ(AskHost("{load: {warning: 4.03}}").state, State::kOk);
}

TEST_F(HostTest, TheWorstComesFirst) {
  EXPECT_EQ(StateAndText(AskHost("{memory: {warning: 50 %}, load: {critical: 2}}")),
            "critical: load 4.02, memory 75.0 % used");
}

TEST_F(HostTest, FullFilesystemsAreNamedAndNeverRoundedUp) {
  disks_.Set("/", {.avail = 3'701});
  disks_.Set("/run", {.files = 1000, .files_free = 40});
  EXPECT_EQ(StateAndText(AskHost("{filesystems: {warning: 85 %, critical: 96.2 %}}")),
            "critical: / 96.2 % full, /run 96.0 % of inodes used");
  EXPECT_EQ(StateAndText(AskHost("{filesystems: {critical: 96.2 %, ignore: ['^/$', '^/srv/']}}")),
            "ok: memory 75.0 % used, load 4.02");
}

TEST_F(HostTest, AFilesystemThatCannotBeAskedIsAbsent) {
  disks_.Set("/", {.error = EACCES});
  disks_.Set("/run", {.error = EIO});
  const Answer answer = AskHost("{filesystems: {warning: 85 %}}");
  EXPECT_EQ(StateAndText(answer), "unknown: /run: Input/output error");
  EXPECT_EQ(Value(answer, "host_filesystem_size", {{"mountpoint", "/"}, {"fstype", "ext4"}}),
            std::nullopt);
}

TEST_F(HostTest, AHangingFilesystemIsLeftAloneUntilItReturns) {
  std::promise<void> returns;
  disks_.Set("/srv/share", {.until = returns.get_future().share()});
  auto sensor = MakeHost("{filesystems: {warning: 85 %}}");
  const Labels share = {{"mountpoint", "/srv/share"}, {"fstype", "nfs4"}};
  const Labels root = {{"mountpoint", "/"}, {"fstype", "ext4"}};
  for (int i = 1; i <= 3; ++i) {
    const Answer answer = Ask(*sensor);
    EXPECT_EQ(StateAndText(answer), "unknown: /srv/share hangs");
    EXPECT_EQ(Value(answer, "host_filesystem_size", share), std::nullopt);
    EXPECT_EQ(Value(answer, "host_filesystem_size", root), 1e8);
    EXPECT_EQ(disks_.Asked("/"), i);
    EXPECT_EQ(disks_.Asked("/srv/share"), 1);
  }
  disks_.Set("/srv/share", {});
  returns.set_value();
  // It is asked again as soon as its thread is back.
  Answer answer;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  do {
    answer = Ask(*sensor);
  } while (answer.state != State::kOk && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(Value(answer, "host_filesystem_size", share), 1e8);
  EXPECT_EQ(disks_.Asked("/srv/share"), 2);
}

TEST_F(HostTest, TwoHangingFilesystemsTakeTwoThreadsAndNoMore) {
  std::promise<void> returns;
  const std::shared_future<void> until = returns.get_future().share();
  disks_.Set("/", {.until = until});
  disks_.Set("/run", {.until = until});
  BlockingPool roomy("test-roomy", 4);
  World world{io_.get_executor(), roomy, clock_, kCaptured};
  Faults faults("test.yaml");
  const Yaml yaml = ParseYaml("{filesystems: {warning: 85 %}}", faults);
  YamlMap map(yaml, faults);
  auto sensor = MakeHostSensor(
      map, world,
      {.statvfs = [this](const char* path, struct statvfs* out) { return disks_(path, out); },
       .adjtimex = [](timex*) { return -1; },
       .simulate_upgrade = [](const std::atomic<bool>&) { return std::string(); }});
  EXPECT_EQ(Ask(*sensor).text, "/run hangs, 4 filesystems could not be asked");
  EXPECT_EQ(Ask(*sensor).text, "/run hangs, / hangs, 3 filesystems could not be asked");
  EXPECT_EQ(Ask(*sensor).text, "/run hangs, / hangs, 3 filesystems could not be asked");
  EXPECT_EQ(disks_.Asked("/srv/share"), 0);
  returns.set_value();
}

TEST_F(HostTest, TheClockIsOffOnlyWhereTheKernelKnows) {
  clock_state_.status = STA_UNSYNC;
  Answer answer = AskHost("{time_offset: {critical: 5s}}");
  EXPECT_EQ(StateAndText(answer), "warning: clock not synchronised");
  EXPECT_EQ(Value(answer, "host_time_synchronised"), 0.0);
  EXPECT_EQ(Value(answer, "host_time_offset_seconds"), std::nullopt);

  clock_state_.status = STA_NANO;
  clock_state_.offset = -500'000'000;
  answer = AskHost("{time_offset: {warning: 500ms, critical: 5s}}");
  EXPECT_EQ(StateAndText(answer), "warning: clock off by -0.500 s");
  EXPECT_EQ(Value(answer, "host_time_offset_seconds"), -0.5);

  clock_state_.status = 0;  // microseconds
  clock_state_.offset = 250'000;
  answer = AskHost("{time_offset: {warning: 500ms}}");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_EQ(Value(answer, "host_time_offset_seconds"), 0.25);

  adjtimex_result_ = -1;
  answer = AskHost("{time_offset: {warning: 500ms}}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_EQ(Value(answer, "host_time_synchronised"), std::nullopt);
}

TEST_F(HostTest, WhatHasALevelButCannotBeReadIsUnknown) {
  const Answer answer = AskHost("{units_failed: {warning: 1}, updates: {warning: 1}}");
  EXPECT_EQ(StateAndText(answer), "unknown: no package lists of apt here, systemd does not answer");
  EXPECT_EQ(Value(answer, "host_units_failed"), std::nullopt);
  EXPECT_EQ(Value(answer, "host_updates_pending", {{"security", "true"}}), std::nullopt);
  EXPECT_EQ(AskHost("{reboot_required: warning}").state, State::kUnknown);
}

TEST_F(HostTest, UnknownWithoutProc) {
  world_.root = "/no-such-directory";
  const Answer answer = AskHost("{}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, StartsWith("cannot look at the host: read /no-such-directory/proc"));
  EXPECT_THAT(answer.samples, testing::IsEmpty());
}

TEST_F(HostTest, TellsOfARebootOnlyWhereSomethingWould) {
  std::string dir = testing::TempDir() + "/host_test.XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  world_.root = dir;
  for (const char* name : {"/proc", "/run", "/etc", "/etc/kernel", "/etc/kernel/postinst.d"}) {
    ASSERT_EQ(::mkdir((dir + name).c_str(), 0700), 0);
  }
  ASSERT_TRUE(ReplaceFile(dir + "/proc/loadavg", "1 1 1").ok());
  const std::string yaml = "{reboot_required: critical}";
  EXPECT_EQ(Value(AskHost(yaml), "host_reboot_required"), std::nullopt);
  ASSERT_TRUE(ReplaceFile(dir + "/etc/kernel/postinst.d/unattended-upgrades", "").ok());
  EXPECT_EQ(Value(AskHost(yaml), "host_reboot_required"), 0.0);
  EXPECT_EQ(AskHost(yaml).state, State::kOk);
  ASSERT_TRUE(ReplaceFile(dir + "/run/reboot-required", "").ok());
  EXPECT_EQ(Value(AskHost(yaml), "host_reboot_required"), 1.0);
  EXPECT_EQ(StateAndText(AskHost(yaml)), "critical: reboot required");
  EXPECT_EQ(AskHost("{}").state, State::kOk);
}

TEST_F(HostTest, MeasuresThisMachine) {
  world_.root = "";
  const Answer answer = Ask("{sensor: host}");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  const double pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
  EXPECT_EQ(Value(answer, "host_memory_total_bytes"),
            pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  EXPECT_GT(Value(answer, "host_cpu_seconds_total", {{"mode", "user"}}), 0.0);
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  EXPECT_NEAR(*Value(answer, "host_uptime_seconds"), static_cast<double>(since_boot.tv_sec), 5);
  EXPECT_GE(Value(answer, "host_load1"), 0.0);
}

TEST_F(HostTest, OddConfigurationsAreFaults) {
  EXPECT_THAT(FaultsOf("{sensor: host, memory: {warning: 95 %, critical: 90 %}}"),
              ElementsAre(HasSubstr("`memory`: `critical` must be above `warning`")));
  EXPECT_THAT(FaultsOf("{sensor: host, load: {warning: 4, critical: 4}}"),
              ElementsAre(HasSubstr("`critical` must be above `warning`")));
  EXPECT_THAT(FaultsOf("{sensor: host, swap: {}}"),
              ElementsAre(HasSubstr("`swap`: give `warning`, `critical` or both")));
  EXPECT_THAT(FaultsOf("{sensor: host, memory: 90 %}"),
              testing::Contains(HasSubstr("expected a mapping")));
  EXPECT_THAT(FaultsOf("{sensor: host, filesystems: {warning: 85}}"),
              ElementsAre(HasSubstr("`85` is not a percentage")));
  EXPECT_THAT(FaultsOf("{sensor: host, filesystems: {ignore: ['(']}}"),
              ElementsAre(HasSubstr("`(` is not a regular expression")));
  EXPECT_THAT(FaultsOf("{sensor: host, reboot_required: maybe}"),
              ElementsAre(HasSubstr("not one of ok, warning, critical")));
  EXPECT_THAT(FaultsOf("{sensor: host, units_failed: {warning: 0}}"),
              ElementsAre(HasSubstr("whole number from 1")));
  EXPECT_THAT(FaultsOf("{sensor: host, time_offset: {warnin: 1s, critical: 5s}}"),
              ElementsAre(HasSubstr("did you mean `warning`?")));
  EXPECT_THAT(FaultsOf("{sensor: host, filesystem: {warning: 85 %}}"),
              ElementsAre(HasSubstr("did you mean `filesystems`?")));
}

}  // namespace
}  // namespace oppetid::agent
