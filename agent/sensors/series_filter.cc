#include "agent/sensors/series_filter.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "agent/sensors/exposition_parser.h"
#include "common/families.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxPatterns = 64;
constexpr size_t kMaxPatternBytes = 1000;
constexpr int64_t kMaxPatternMemory = 1 << 20;  // of one compiled pattern

// Given by the agent's certificate and configuration alone, never by a payload; names that begin
// with two underscores are Prometheus' own.
bool IsForeignLabel(const std::string& name) {
  static constexpr auto kOurs =
      std::to_array<std::string_view>({"check", "host", "municipality", "room"});
  return name.starts_with("__") || std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end();
}

// One string for one series. Names hold no control characters and values no byte 0xFF, so no two
// series give the same.
std::string KeyOf(const ExpositionSeries& series) {
  std::string key = series.name;
  for (const auto& [name, value] : series.labels) {
    key += '\xFF';
    key += name;
    key += '=';
    key += value;
  }
  return key;
}

}  // namespace

bool SeriesFilter::Wants(std::string_view name) const {
  const re2::StringPiece text(name.data(), name.size());
  const auto matches = [&](const auto& pattern) { return RE2::PartialMatch(text, *pattern); };
  return (keep.empty() || std::any_of(keep.begin(), keep.end(), matches)) &&
         std::none_of(drop.begin(), drop.end(), matches);
}

Carried SeriesFilter::Read(std::string_view exposition) const {
  Carried carried;
  std::unordered_set<std::string> seen;
  ExpositionParser parser(exposition);
  ExpositionSeries series;
  std::string last_name;  // series of one name stand together: decide once
  bool wanted = false;
  bool reserved = false;
  bool any = false;
  while (parser.Next(series)) {
    any = true;
    if (series.name != last_name) {
      last_name = series.name;
      wanted = Wants(last_name);
      reserved = wanted && IsReservedName(last_name);
    }
    if (!wanted) continue;
    std::erase_if(series.labels, [](const auto& label) { return IsForeignLabel(label.first); });
    if (reserved) {
      ++carried.dropped;
      continue;
    }
    std::string key = KeyOf(series);
    if (seen.contains(key)) {
      ++carried.dropped;
    } else if (carried.series.size() < limit) {
      seen.insert(std::move(key));
      carried.series.push_back({series.name, std::move(series.labels), series.value});
    } else {
      ++carried.over_limit;
    }
  }
  carried.dropped += parser.invalid_lines();
  carried.not_exposition = !any && parser.invalid_lines() > 0;
  return carried;
}

Patterns ReadPatterns(YamlMap& config, std::string_view key) {
  Patterns patterns;
  const std::string name = "`" + std::string(key) + "`: ";
  const std::vector<std::string> texts = config.Strings(key);
  if (texts.size() > kMaxPatterns) {
    config.Fault(key, name + "at most 64 regular expressions");
    return patterns;
  }
  for (const std::string& text : texts) {
    if (text.size() > kMaxPatternBytes) {
      config.Fault(key, name + "a regular expression of more than 1000 bytes");
      continue;
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMaxPatternMemory);
    auto pattern = std::make_unique<RE2>(text, options);
    if (!pattern->ok()) {
      config.Fault(key, name + "not a regular expression: `" + OneLine(text, 60) +
                            "`: " + OneLine(pattern->error(), 100));
      continue;
    }
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

}  // namespace oppetid::agent
