// hwmon: what do this machine's own sensors say? The kernel's hwmon files: temperatures, fans,
// voltages, currents, power; judged by the limits that the chips give, probes of the room's air (a
// humidity or one-wire probe on a small machine) also by the room's.
//
// Unknown where the kernel has no such chip. Files are read on the pool: some chips answer over a
// slow bus.
#include <algorithm>
#include <filesystem>
#include <system_error>

#include "agent/sensors/hardware.h"
#include "agent/sensors/hwmon_files.h"
#include "agent/sensors/reading.h"
#include "agent/sensors/registry.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxChips = 64;
constexpr size_t kMaxFilesOfChip = 1024;
constexpr size_t kMaxFileBytes = 4096;  // sysfs gives no more

std::vector<fs::path> Listed(const fs::path& directory, size_t max) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator() && found.size() < max;
       entry.increment(error)) {
    found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What cannot be read (a fan that is not there gives an error) reads as empty.
std::string Content(const fs::path& path) {
  return ReadFile(path.string(), kMaxFileBytes).value_or("");
}

bool Concerns(const std::string& file) {
  constexpr auto kEnds = std::to_array<std::string_view>(
      {"_input", "_label", "_max", "_crit", "_crit_alarm", "_min", "_fault"});
  return std::any_of(kEnds.begin(), kEnds.end(),
                     [&](std::string_view end) { return file.ends_with(end); });
}

std::vector<HardwareReading> ReadChips(const std::string& root) {
  std::vector<HardwareReading> readings;
  for (const fs::path& chip : Listed(root + "/sys/class/hwmon", kMaxChips)) {
    std::map<std::string, std::string> files;
    for (const fs::path& file : Listed(chip, kMaxFilesOfChip)) {
      if (Concerns(file.filename().string())) files[file.filename().string()] = Content(file);
    }
    std::string name = OneLine(Content(chip / "name"), kMaxReadingName);
    if (name.empty()) name = OneLine(chip.filename().string(), kMaxReadingName);
    for (HardwareReading& reading : ReadingsOfChip(name, files)) {
      readings.push_back(std::move(reading));
    }
  }
  return readings;
}

class HwmonSensor : public Sensor {
 public:
  HwmonSensor(HardwareJudge judge, World& world) : judge_(std::move(judge)), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    std::function<std::vector<HardwareReading>()> work = [root = world_.root] {
      return ReadChips(root);
    };
    const auto readings =
        co_await OnPool<std::vector<HardwareReading>>(world_.pool, std::move(work));
    Answer answer;
    judge_.Judge(readings, world_.clock.SteadyNow(), answer);
    co_return answer;
  }

 private:
  HardwareJudge judge_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeHwmonSensor(YamlMap& config, World& world) {
  // Chips that measure air, not themselves.
  HardwareJudge judge(config, {"^(sht|aht|dht|hih|htu|si70|w1_slave_temp)"});
  return std::make_unique<HwmonSensor>(std::move(judge), world);
}

}  // namespace oppetid::agent
