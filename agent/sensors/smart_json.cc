#include "agent/sensors/smart_json.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <initializer_list>

#include "common/text.h"

namespace oppetid::agent {
namespace {

namespace json = boost::json;

constexpr size_t kMaxDepth = 16;  // smartctl nests 6 deep
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxComplaints = 4;

// smartctl(8), "EXIT STATUS".
constexpr int64_t kOpenFailed = 1 << 1;
constexpr int64_t kFailing = 1 << 3;
constexpr int64_t kBelowThreshold = 1 << 4;
constexpr int64_t kSelfTestFailed = 1 << 7;

json::value Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  return error ? json::value() : value;
}

const json::value* Find(const json::value& root, std::initializer_list<std::string_view> path) {
  const json::value* at = &root;
  for (const std::string_view key : path) {
    if (!at->is_object()) return nullptr;
    at = at->get_object().if_contains({key.data(), key.size()});
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::optional<int64_t> Integer(const json::value& root,
                               std::initializer_list<std::string_view> path) {
  const json::value* value = Find(root, path);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64()) return INT64_MAX;  // more than anything has
  return std::nullopt;
}

std::string Text(const json::value& root, std::initializer_list<std::string_view> path) {
  const json::value* value = Find(root, path);
  if (value == nullptr || !value->is_string()) return "";
  const json::string& text = value->get_string();
  return {text.data(), text.size()};
}

const json::array* Array(const json::value& root, std::initializer_list<std::string_view> path) {
  const json::value* value = Find(root, path);
  return value == nullptr ? nullptr : value->if_array();
}

bool IsPlain(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '_' || c == ',' || c == '.' || c == '-' || c == '+' || c == ':';
         });
}

// What the raw value counts. Some disks pack more than the count into it; smartctl puts the count
// first in its text of it, as in "2 (2 0)".
int64_t CountOf(const json::value& row, int64_t raw) {
  const std::string text = Text(row, {"raw", "string"});
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = end == text.data() + text.size() || *end == ' ';
  return error == std::errc() && whole && count >= 0 ? count : raw & 0xFFFFFFFF;
}

// Of a new disk 100, falling. By name, as smartctl's database gives it: the numbers mean other
// things on other disks (177 is Wear_Range_Delta, 0 on a new one; 202 Exception_Mode_Status; 233
// what has been written). Attribute 230 rises on some disks and falls on others.
bool TellsLifeLeft(std::string_view name, int64_t id) {
  constexpr std::array<std::string_view, 14> kNames = {
      "Drive_Life_Remaining",   "DriveLife_Remaining",     "Lifetime_Left",
      "Lifetime_Remaining",     "Media_Wearout_Indicator", "PCT_Life_Remaining",
      "Perc_Rated_Life_Remain", "Percent_Life_Remaining",  "Percent_Lifetime_Remain",
      "Remaining_Life",         "Remaining_Lifetime_Perc", "SSD_LifeLeft",
      "SSD_Life_Left",          "SSD_Life_Left_Perc"};
  if (id == 230) return false;
  if (id == 177 && name == "Wear_Leveling_Count") return true;
  // Named after what the raw value tells.
  if (id == 202 && (name == "Percent_Lifetime_Used" || name == "Perc_Rated_Life_Used")) return true;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

void TakeAttribute(const json::value& row, SmartReport& report) {
  const int64_t id = Integer(row, {"id"}).value_or(0);
  const std::string name = Text(row, {"name"});
  if (const auto raw = Integer(row, {"raw", "value"}); raw && *raw >= 0) {
    const int64_t count = CountOf(row, *raw);
    if (id == 5) report.reallocated = count;
    if (id == 187) report.uncorrectable = count;
    if (id == 197) report.pending = count;
    if (id == 198 && !report.uncorrectable) report.uncorrectable = count;
  }
  const auto value = Integer(row, {"value"});
  if (TellsLifeLeft(name, id) && value && *value >= 0 && *value <= 100) {
    report.wear_percent = std::max(report.wear_percent.value_or(0), 100 - *value);
  }
  if (Text(row, {"when_failed"}) == "now" && report.complaints.size() < kMaxComplaints) {
    report.complaints.push_back(OneLine(name, kMaxNameBytes) + " has failed");
  }
}

// ACS-4, 9.5.9: what the standard has instead of vendors' attributes.
void TakeDeviceStatistics(const json::value& root, SmartReport& report) {
  constexpr int64_t kSolidStatePage = 7;
  constexpr int64_t kPercentageUsed = 8;  // offset
  const json::array* pages = Array(root, {"ata_device_statistics", "pages"});
  if (pages == nullptr) return;
  for (const json::value& page : *pages) {
    const json::array* table = Array(page, {"table"});
    if (Integer(page, {"number"}) != kSolidStatePage || table == nullptr) continue;
    for (const json::value& row : *table) {
      const json::value* valid = Find(row, {"flags", "valid"});
      const bool is_valid = valid != nullptr && valid->is_bool() && valid->get_bool();
      const auto value = Integer(row, {"value"});
      if (Integer(row, {"offset"}) == kPercentageUsed && is_valid && value && *value >= 0) {
        report.wear_percent = value;
      }
    }
  }
}

void TakeAta(const json::value& root, SmartReport& report) {
  if (const json::array* table = Array(root, {"ata_smart_attributes", "table"})) {
    for (const json::value& row : *table) TakeAttribute(row, report);
  }
  TakeDeviceStatistics(root, report);
}

// 0 with a limit of 0 is what a RAID volume and some disks say who do not measure.
void TakeTemperature(const json::value& root, SmartReport& report) {
  const auto celsius = Integer(root, {"temperature", "current"});
  const bool measured = celsius != 0 || Integer(root, {"temperature", "drive_trip"}) != 0;
  if (celsius && measured) report.temperature_celsius = static_cast<double>(*celsius);
}

// NVMe base specification, "Critical Warning" in the health log: what each bit means.
struct NvmeWarning {
  int64_t bit;
  const char* meaning;
};
constexpr auto kNvmeWarnings = std::to_array<NvmeWarning>({
    {1 << 0, "its spare runs out"},
    {1 << 1, "it is too hot or too cold"},
    {1 << 2, "it is no longer reliable"},
    {1 << 3, "it can only be read now"},
    {1 << 4, "its memory's backup has failed"},
    {1 << 5, "its persistent memory can only be read now"},
});
constexpr int64_t kNvmeTemperature = 1 << 1;

// Whether the disk complains of its temperature alone.
bool TakeNvme(const json::value& root, SmartReport& report) {
  constexpr std::string_view kLog = "nvme_smart_health_information_log";
  if (Find(root, {kLog}) == nullptr) return false;
  report.uncorrectable = Integer(root, {kLog, "media_errors"});
  report.wear_percent = Integer(root, {kLog, "percentage_used"});
  const int64_t warning = Integer(root, {kLog, "critical_warning"}).value_or(0);
  for (const NvmeWarning& known : kNvmeWarnings) {
    if ((warning & known.bit) != 0 && report.complaints.size() < kMaxComplaints) {
      report.complaints.emplace_back(known.meaning);
    }
  }
  return warning == kNvmeTemperature;
}

void TakeScsi(const json::value& root, SmartReport& report) {
  if (const auto defects = Integer(root, {"scsi_grown_defect_list"})) {
    report.reallocated = defects;
  }
  std::optional<int64_t> sum;
  for (const std::string_view kind : {"read", "write", "verify"}) {
    const auto errors = Integer(root, {"scsi_error_counter_log", kind, "total_uncorrected_errors"});
    if (errors) sum = sum.value_or(0) + std::clamp<int64_t>(*errors, 0, INT32_MAX);
  }
  if (sum) report.uncorrectable = sum;
  if (const auto used = Integer(root, {"scsi_percentage_used_endurance_indicator"})) {
    report.wear_percent = used;
  }
}

// The first of smartctl's messages with `part` in it; empty when there is none.
std::string MessageWith(const json::value& root, std::string_view part) {
  const json::array* messages = Array(root, {"smartctl", "messages"});
  if (messages == nullptr) return "";
  for (const json::value& entry : *messages) {
    std::string message = OneLine(Text(entry, {"string"}), 120);
    if (message.find(part) != std::string::npos) return message;
  }
  return "";
}

// Why nothing was learned, shorter than smartctl says it.
std::string ReasonOf(const json::value& root) {
  std::string message = MessageWith(root, "");
  if (message.empty()) return "the disk tells nothing of its health";
  constexpr std::string_view kFailed = "failed: ";
  const size_t reason = message.rfind(kFailed);
  if (!message.starts_with("Smartctl open device: ") || reason == std::string::npos) return message;
  return "cannot open: " + message.substr(reason + kFailed.size());
}

}  // namespace

std::vector<SmartDevice> ParseSmartScan(std::string_view text) {
  std::vector<SmartDevice> devices;
  const json::value root = Parse(text);
  const json::array* list = Array(root, {"devices"});
  if (list == nullptr) return devices;
  for (const json::value& entry : *list) {
    SmartDevice device{Text(entry, {"name"}), Text(entry, {"type"})};
    const bool plain = device.path.starts_with("/dev/") && IsPlain(device.path);
    if (!plain || !IsPlain(device.type) || devices.size() >= kMaxDisks) continue;
    // The scan calls every sd disk that, also SATA ones, which then tell nothing of themselves.
    // Asked without a type, smartctl looks what it is.
    if (device.type == "scsi") device.type.clear();
    devices.push_back(device);
  }
  return devices;
}

SmartReport ParseSmartReport(std::string_view text) {
  SmartReport report;
  const json::value root = Parse(text);
  const auto status = Integer(root, {"smartctl", "exit_status"});
  if (!status) {
    report.error = "smartctl gives no JSON; version 7 is needed";
    return report;
  }
  if ((*status & kOpenFailed) != 0 && !MessageWith(root, "STANDBY").empty()) {
    report.asleep = true;
    return report;
  }
  // Said of any disk that answers no command; the kernel wakes one that truly sleeps.
  if ((*status & kOpenFailed) != 0 && !MessageWith(root, "SLEEP mode").empty()) {
    report.error = "takes no command; smart.conf has CAP_SYS_RAWIO";
    return report;
  }
  if (const json::value* passed = Find(root, {"smart_status", "passed"});
      passed != nullptr && passed->is_bool()) {
    report.healthy = passed->get_bool();
  }
  TakeTemperature(root, report);
  report.power_on_hours = Integer(root, {"power_on_time", "hours"});
  TakeAta(root, report);
  // smartctl takes that for failing, which a hot disk is not.
  const bool only_hot = TakeNvme(root, report);
  TakeScsi(root, report);
  if (const auto used = Integer(root, {"endurance_used", "current_percent"})) {
    report.wear_percent = used;  // version 7.5 works it out itself
  }
  if ((*status & kFailing) != 0) report.healthy = false;
  if (only_hot) report.healthy = true;
  if ((*status & kBelowThreshold) != 0 && report.complaints.empty()) {
    report.complaints.emplace_back("an attribute is below its threshold");
  }
  if ((*status & kSelfTestFailed) != 0 && report.complaints.size() < kMaxComplaints) {
    report.complaints.emplace_back("a self-test has failed");
  }
  if (!report.healthy && !report.temperature_celsius) {
    report.error = ReasonOf(root);
  }
  return report;
}

}  // namespace oppetid::agent
