#include "agent/sensors/host_levels.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "absl/numeric/int128.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// A line of text holds three or four findings; more are only counted.
constexpr size_t kMaxTold = 4;
constexpr size_t kToldBytes = 240;  // they share the line, so that each has its end
constexpr int64_t kMaxCount = 1'000'000;
constexpr double kMaxLoad = 100'000;
constexpr Millis kMinOffset{1};
constexpr Millis kMaxOffset = std::chrono::hours(24);

// Reads one level of a kind; nullopt when it is absent or at fault.
using ReadLevel = std::optional<int64_t> (*)(YamlMap& levels, std::string_view key);

std::optional<int64_t> ReadShare(YamlMap& levels, std::string_view key) {
  const auto percent = levels.PercentOf(key);
  if (!percent) return std::nullopt;
  return percent->millionths;
}

std::optional<int64_t> ReadCount(YamlMap& levels, std::string_view key) {
  return levels.Int(key, 1, kMaxCount);
}

std::optional<int64_t> ReadLoad(YamlMap& levels, std::string_view key) {
  const auto load = levels.Double(key, 0.001, kMaxLoad);
  if (!load) return std::nullopt;
  return std::llround(*load * 1000);
}

std::optional<int64_t> ReadOffset(YamlMap& levels, std::string_view key) {
  const auto offset = levels.Duration(key, kMinOffset, kMaxOffset);
  if (!offset) return std::nullopt;
  return offset->count();
}

Levels ReadLevelsOf(YamlMap& levels, std::string_view name, ReadLevel read) {
  Levels result{read(levels, "warning"), read(levels, "critical")};
  CheckOrder(levels, name, result);
  return result;
}

Levels ReadSection(YamlMap& config, std::string_view name, ReadLevel read) {
  auto section = config.Map(name);
  if (!section) return {};
  const Levels levels = ReadLevelsOf(*section, name, read);
  if (!section->Has("warning") && !section->Has("critical")) {
    section->Fault("", "`" + std::string(name) + "`: give `warning`, `critical` or both");
  }
  section->Finish();
  return levels;
}

void ReadFilesystems(YamlMap& config, HostLevels& levels) {
  auto section = config.Map("filesystems");
  if (!section) return;
  levels.filesystems = ReadLevelsOf(*section, "filesystems", ReadShare);
  for (const std::string& pattern : section->Strings("ignore")) {
    const RE2 regex(pattern, RE2::Quiet);
    if (regex.ok()) {
      levels.ignored_mountpoints.push_back(pattern);
    } else {
      section->Fault("ignore", "`ignore`: `" + OneLine(pattern, 60) +
                                   "` is not a regular expression (RE2 syntax): " +
                                   OneLine(regex.error(), 100));
    }
  }
  section->Finish();
}

}  // namespace

State Levels::Of(int64_t value) const {
  if (critical && value >= *critical) return State::kCritical;
  if (warning && value >= *warning) return State::kWarning;
  return State::kOk;
}

void CheckOrder(YamlMap& map, std::string_view name, const Levels& levels) {
  if (levels.warning && levels.critical && *levels.warning >= *levels.critical) {
    map.Fault("critical", "`" + std::string(name) + "`: `critical` must be above `warning`");
  }
}

HostLevels ReadHostLevels(YamlMap& config) {
  HostLevels levels;
  ReadFilesystems(config, levels);
  levels.memory = ReadSection(config, "memory", ReadShare);
  levels.swap = ReadSection(config, "swap", ReadShare);
  levels.load = ReadSection(config, "load", ReadLoad);
  levels.time_offset = ReadSection(config, "time_offset", ReadOffset);
  levels.units_failed = ReadSection(config, "units_failed", ReadCount);
  levels.updates = ReadSection(config, "updates", ReadCount);
  levels.security_updates = ReadSection(config, "security_updates", ReadCount);
  const std::string reboot = config.OneOf("reboot_required", {"ok", "warning", "critical"}, "ok");
  levels.reboot_required = ParseState(reboot).value_or(State::kOk);
  return levels;
}

int64_t Share(uint64_t part, uint64_t whole) {
  constexpr int64_t kAll = 100'000'000;
  if (whole == 0) return 0;
  if (part >= whole) return kAll;
  return static_cast<int64_t>(absl::Uint128Low64(absl::uint128(part) * kAll / whole));
}

std::string FormatShare(int64_t millionths) {
  return std::to_string(millionths / 1'000'000) + "." + std::to_string(millionths / 100'000 % 10) +
         " %";
}

void Verdict::Judge(const Levels& levels, int64_t value, std::string_view text) {
  const State state = levels.Of(value);
  if (state != State::kOk) Add(state, text);
}

void Verdict::Missing(const Levels& levels, std::string_view text) {
  if (levels.given()) Add(State::kUnknown, text);
}

void Verdict::Add(State state, std::string_view text) {
  state_ = Worse(state_, state);
  found_.emplace_back(state, text);
}

void Verdict::Summarise(std::string_view text) {
  if (!summary_.empty()) summary_ += ", ";
  summary_ += text;
}

std::string Verdict::Text() const {
  if (found_.empty()) return OneLine(summary_.empty() ? "nothing to tell" : summary_);
  auto found = found_;
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return Severity(a.first) > Severity(b.first);
  });
  const size_t told = std::min(found.size(), kMaxTold);
  std::string text;
  for (size_t i = 0; i < told; ++i) {
    if (i > 0) text += ", ";
    text += OneLine(found[i].second, kToldBytes / told);
  }
  if (found.size() > kMaxTold) text += " and " + std::to_string(found.size() - kMaxTold) + " more";
  return OneLine(text);
}

}  // namespace oppetid::agent
