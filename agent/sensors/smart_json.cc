#include "agent/sensors/smart_json.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
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

void TakeAttributes(const json::value& root, SmartReport& report) {
  const json::array* table = Array(root, {"ata_smart_attributes", "table"});
  if (table == nullptr) return;
  for (const json::value& row : *table) {
    const auto id = Integer(row, {"id"});
    const auto raw = Integer(row, {"raw", "value"});
    if (!id || !raw || *raw < 0) continue;
    // Some disks pack more than the count into the upper bytes.
    const int64_t count = *raw & 0xFFFFFFFF;
    if (id == 5) report.reallocated = count;
    if (id == 187) report.uncorrectable = count;
    if (id == 197) report.pending = count;
    if (id == 198 && !report.uncorrectable) report.uncorrectable = count;
    const auto value = Integer(row, {"value"});
    // Of a new disk 100, falling: SSD life left, wear levelling, media wearout.
    const bool wear = id == 231 || id == 177 || id == 233;
    if (wear && value && *value >= 0 && *value <= 100 && !report.wear_percent) {
      report.wear_percent = 100 - *value;
    }
    if (Text(row, {"when_failed"}) == "now" && report.complaints.size() < kMaxComplaints) {
      report.complaints.push_back(OneLine(Text(row, {"name"}), kMaxNameBytes) + " has failed");
    }
  }
}

void TakeNvme(const json::value& root, SmartReport& report) {
  constexpr std::string_view kLog = "nvme_smart_health_information_log";
  if (Find(root, {kLog}) == nullptr) return;
  report.uncorrectable = Integer(root, {kLog, "media_errors"});
  report.wear_percent = Integer(root, {kLog, "percentage_used"});
  if (Integer(root, {kLog, "critical_warning"}).value_or(0) != 0) {
    report.complaints.push_back("its controller warns");
  }
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

std::string MessageOf(const json::value& root) {
  const json::array* messages = Array(root, {"smartctl", "messages"});
  if (messages == nullptr || messages->empty()) return "";
  return OneLine(Text(messages->front(), {"string"}), 120);
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
    if (plain && IsPlain(device.type) && devices.size() < kMaxDisks) devices.push_back(device);
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
  const std::string message = MessageOf(root);
  if ((*status & kOpenFailed) != 0 && (message.find("STANDBY") != std::string::npos ||
                                       message.find("SLEEP") != std::string::npos)) {
    report.asleep = true;
    return report;
  }
  if (const json::value* passed = Find(root, {"smart_status", "passed"});
      passed != nullptr && passed->is_bool()) {
    report.healthy = passed->get_bool();
  }
  if (const auto celsius = Integer(root, {"temperature", "current"})) {
    report.temperature_celsius = static_cast<double>(*celsius);
  }
  report.power_on_hours = Integer(root, {"power_on_time", "hours"});
  TakeAttributes(root, report);
  TakeNvme(root, report);
  TakeScsi(root, report);
  if ((*status & kFailing) != 0) report.healthy = false;
  if ((*status & kBelowThreshold) != 0 && report.complaints.empty()) {
    report.complaints.emplace_back("an attribute is below its threshold");
  }
  if ((*status & kSelfTestFailed) != 0 && report.complaints.size() < kMaxComplaints) {
    report.complaints.emplace_back("a self-test has failed");
  }
  if (!report.healthy && !report.temperature_celsius) {
    report.error = message.empty() ? "the disk tells nothing of its health" : message;
  }
  return report;
}

}  // namespace oppetid::agent
