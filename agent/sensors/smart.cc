// smart: are the disks of this machine healthy? Asks smartctl for each: the disk's own verdict,
// temperature, replaced and unreadable sectors, wear. Disks that stand still are not woken.
//
// Unknown when smartctl is missing, may not open the disks (it needs more than the agent's rights:
// deploy/systemd), or a disk tells nothing, as those of virtual machines.
#include <algorithm>
#include <map>
#include <set>

#include "agent/sensors/host_levels.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/smart_json.h"
#include "agent/sensors/subprocess.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

struct SmartLevels {
  Levels temperature{55, 65};          // Celsius; disks are rated for 60 to 70
  Levels reallocated{10, 100};         // sectors: a few are wear, many are the beginning of the end
  Levels unreadable{1, std::nullopt};  // pending sectors and uncorrectable errors
  Levels wear{90, 100};                // percent of the rated life
};

class SmartSensor : public Sensor {
 public:
  SmartSensor(std::vector<std::string> command, std::vector<SmartDevice> devices,
              SmartLevels levels, World& world)
      : command_(std::move(command)),
        devices_(std::move(devices)),
        levels_(levels),
        world_(world),
        scan_({With({"--json", "--scan"}), {}}, world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    std::vector<SmartDevice> devices = devices_;
    if (devices.empty()) {
      const Finished finished = co_await scan_.Run();
      devices = ParseSmartScan(finished.output);
      if (devices.empty()) {
        answer.text = OneLine(Complaint(finished,
                                        "smartctl finds no disks; the agent's unit sees them by "
                                        "smart.conf, others are named in `devices`"));
        co_return answer;
      }
    }
    Verdict verdict;
    size_t told = 0;
    size_t asleep = 0;
    std::set<std::string> asked;
    for (const SmartDevice& device : devices) {
      const std::string disk = LabelOf(device);
      asked.insert(disk);
      Subprocess& program = ProgramFor(device);
      const Finished finished = co_await program.Run();
      SmartReport report = ParseSmartReport(finished.output);
      if (report.asleep) {
        ++asleep;
        JudgeAsleep(disk, verdict);
        continue;
      }
      if (!report.error.empty()) report.error = Complaint(finished, report.error);
      Judge(disk, report, verdict, answer);
      if (report.error.empty() && report.healthy) ++told;
      if (report.healthy) known_[disk] = std::move(report);
    }
    // A disk that dies altogether is not found any more.
    for (const auto& [disk, report] : known_) {
      if (!asked.contains(disk)) verdict.Add(State::kUnknown, disk + " is no longer there");
    }
    verdict.Summarise(std::to_string(told) + (told == 1 ? " disk" : " disks") + " healthy");
    if (asleep != 0) verdict.Summarise(std::to_string(asleep) + " asleep");
    answer.state = verdict.state();
    answer.text = verdict.Text();
    co_return answer;
  }

 private:
  std::vector<std::string> With(std::vector<std::string> arguments) const {
    std::vector<std::string> argv = command_;
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }

  // One for each disk, so that a disk that hangs is not asked again while it does.
  Subprocess& ProgramFor(const SmartDevice& device) {
    auto& program = programs_[LabelOf(device)];
    if (program) return *program;
    // The error counters of SAS disks are in the log of errors, the wear of theirs and of other
    // SSDs in that of `ssd`.
    std::vector<std::string> arguments = {"--json", "-H",  "-A", "-l",     "error",
                                          "-l",     "ssd", "-n", "standby"};
    if (!device.type.empty()) arguments.insert(arguments.end(), {"-d", device.type});
    arguments.push_back(device.path);
    program = std::make_unique<Subprocess>(Command{With(std::move(arguments)), {}}, world_);
    return *program;
  }

  // "sda"; disks behind one controller share a path and differ in their type.
  static std::string LabelOf(const SmartDevice& device) {
    const std::string name = device.path.substr(std::string("/dev/").size());
    return device.type.find(',') == std::string::npos ? name : name + " " + device.type;
  }

  static std::string Complaint(const Finished& finished, const std::string& otherwise) {
    if (!finished.fault.empty()) return finished.fault;
    if (finished.signal != 0) return "smartctl died of signal " + std::to_string(finished.signal);
    const std::string said = OneLine(finished.error_output, 120);
    return said.empty() ? otherwise : said;
  }

  // A disk that was failing still is when it stands still; how warm it is now, nobody knows.
  void JudgeAsleep(const std::string& disk, Verdict& verdict) const {
    const auto known = known_.find(disk);
    if (known == known_.end()) return;
    SmartReport report = known->second;
    report.temperature_celsius.reset();
    Answer not_measured_now;
    Judge(disk, report, verdict, not_measured_now);
  }

  void Judge(const std::string& disk, const SmartReport& report, Verdict& verdict,
             Answer& answer) const {
    if (!report.error.empty()) {
      verdict.Add(State::kUnknown, disk + ": " + report.error);
      return;
    }
    if (!report.healthy) {
      verdict.Add(State::kUnknown, disk + ": the disk tells nothing of its health");
    } else if (!*report.healthy) {
      verdict.Add(State::kCritical, disk + " is failing");
    }
    for (const std::string& complaint : report.complaints) {
      verdict.Add(State::kWarning, std::string(disk).append(": ").append(complaint));
    }
    const auto take = [&](const std::optional<int64_t>& value, const Levels& levels,
                          const char* what, const char* family, double scale) {
      if (!value) return;
      verdict.Judge(levels, *value, disk + ": " + std::to_string(*value) + what);
      answer.samples.push_back({family, {{"device", disk}}, static_cast<double>(*value) * scale});
    };
    take(report.reallocated, levels_.reallocated, " sectors replaced",
         "hardware_disk_reallocated_sectors", 1);
    take(report.pending, levels_.unreadable, " sectors unreadable", "hardware_disk_pending_sectors",
         1);
    take(report.uncorrectable, levels_.unreadable, " errors uncorrected",
         "hardware_disk_uncorrectable_errors", 1);
    take(report.wear_percent, levels_.wear, " % of its life used", "hardware_disk_wear_ratio",
         0.01);
    take(report.power_on_hours, {}, "", "hardware_disk_power_on_seconds_total", 3600);
    std::optional<int64_t> celsius;
    if (report.temperature_celsius) celsius = static_cast<int64_t>(*report.temperature_celsius);
    take(celsius, levels_.temperature, " degrees C", "hardware_disk_temperature_celsius", 1);
    if (report.healthy) {
      answer.samples.push_back(
          {"hardware_disk_healthy", {{"device", disk}}, *report.healthy ? 1.0 : 0.0});
    }
  }

  std::vector<std::string> command_;
  std::vector<SmartDevice> devices_;  // empty: scan
  SmartLevels levels_;
  World& world_;
  Subprocess scan_;
  std::map<std::string, std::unique_ptr<Subprocess>> programs_;
  std::map<std::string, SmartReport> known_;  // what each said last of its health
};

void ReadLevels(YamlMap& config, std::string_view key, int64_t max, Levels& levels) {
  auto map = config.Map(key);
  if (!map) return;
  if (const auto level = map->Int("warning", 1, max)) levels.warning = level;
  if (const auto level = map->Int("critical", 1, max)) levels.critical = level;
  CheckOrder(*map, key, levels);
  map->Finish();
}

}  // namespace

std::unique_ptr<Sensor> MakeSmartSensor(YamlMap& config, World& world) {
  std::vector<std::string> command = config.Strings("command");
  if (command.empty()) command = {"/usr/sbin/smartctl"};
  if (!command.front().starts_with('/')) {
    config.Fault("command", "`command`: expected an absolute path, or a list that starts with one");
  }
  std::vector<SmartDevice> devices;
  for (const std::string& path : config.Strings("devices")) {
    if (!path.starts_with("/dev/") || path.size() == 5 || devices.size() >= kMaxDisks) {
      config.Fault("devices", "`devices`: expected at most 64 paths like /dev/sda");
      break;
    }
    devices.push_back({path, ""});
  }
  SmartLevels levels;
  constexpr int64_t kMany = 1'000'000'000;
  ReadLevels(config, "temperature", 200, levels.temperature);
  ReadLevels(config, "reallocated", kMany, levels.reallocated);
  ReadLevels(config, "unreadable", kMany, levels.unreadable);
  ReadLevels(config, "wear", 1000, levels.wear);
  return std::make_unique<SmartSensor>(std::move(command), std::move(devices), levels, world);
}

}  // namespace oppetid::agent
