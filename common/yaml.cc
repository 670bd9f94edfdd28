#include "common/yaml.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>

#include "common/text.h"

namespace oppetid {
namespace {

std::string Quote(std::string_view text) { return "`" + OneLine(text, 60) + "`"; }

std::optional<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  struct Unit {
    std::string_view name;
    int64_t factor;
  };
  static constexpr Unit kUnits[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20},  {"GiB", 1 << 30},
                                    {"kB", 1'000},    {"MB", 1'000'000}, {"GB", 1'000'000'000},
                                    {"B", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    std::string_view digits = text.substr(0, text.size() - unit.name.size());
    while (digits.ends_with(' ')) digits.remove_suffix(1);
    const auto number = ParseInt(digits);
    if (!number || *number < 0 || *number > INT64_MAX / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

void Faults::Add(YamlPosition at, std::string_view what) {
  lines_.push_back(file_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                   std::string(what));
}

void Faults::AddLine(int line, std::string_view what) {
  lines_.push_back(file_ + ":" + std::to_string(line) + ": " + std::string(what));
}

std::optional<Percent> ParsePercent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  const std::string_view decimals = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  if (whole.empty() || whole.size() > 3 || decimals.size() > 6) return std::nullopt;
  if (dot != std::string_view::npos && decimals.empty()) return std::nullopt;
  int64_t value = 0;
  for (const char c : std::string(whole) + std::string(decimals)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  for (size_t i = decimals.size(); i < 6; ++i) value *= 10;
  if (value > 100'000'000) return std::nullopt;
  return Percent{value};
}

YamlMap::YamlMap(const Yaml& yaml, Faults& faults) : yaml_(&yaml), faults_(&faults) {
  if (yaml.kind != Yaml::Kind::kMap) faults.Add(yaml.at, "expected a mapping (`key: value`)");
}

const Yaml* YamlMap::Find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  for (const auto& [name, value] : yaml_->map) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Yaml* YamlMap::Scalar(std::string_view key, std::string_view expected) {
  const Yaml* value = Find(key);
  if (value == nullptr) return nullptr;
  if (value->kind != Yaml::Kind::kScalar) {
    Fault(key, "`" + std::string(key) + "`: expected " + std::string(expected));
    return nullptr;
  }
  return value;
}

std::optional<std::string> YamlMap::String(std::string_view key) {
  const Yaml* value = Scalar(key, "text");
  if (value == nullptr) return std::nullopt;
  return value->scalar;
}

std::string YamlMap::String(std::string_view key, std::string_view fallback) {
  return String(key).value_or(std::string(fallback));
}

std::string YamlMap::RequiredString(std::string_view key) {
  if (!Has(key)) Fault(key, "`" + std::string(key) + "` is missing");
  auto value = String(key);
  if (value && value->empty()) Fault(key, "`" + std::string(key) + "` is empty");
  return value.value_or("");
}

std::optional<int64_t> YamlMap::Int(std::string_view key, int64_t min, int64_t max) {
  const Yaml* value = Scalar(key, "a whole number");
  if (value == nullptr) return std::nullopt;
  const auto number = ParseInt(value->scalar);
  if (!number || *number < min || *number > max) {
    Fault(key, "`" + std::string(key) + "`: " + Quote(value->scalar) +
                   " is not a whole number from " + std::to_string(min) + " to " +
                   std::to_string(max));
    return std::nullopt;
  }
  return number;
}

int64_t YamlMap::Int(std::string_view key, int64_t min, int64_t max, int64_t fallback) {
  return Int(key, min, max).value_or(fallback);
}

std::optional<double> YamlMap::Double(std::string_view key, double min, double max) {
  const Yaml* value = Scalar(key, "a number");
  if (value == nullptr) return std::nullopt;
  double number = 0;
  const char* end = value->scalar.data() + value->scalar.size();
  const auto [parsed, error] = std::from_chars(value->scalar.data(), end, number);
  if (error != std::errc() || parsed != end || !std::isfinite(number) || number < min ||
      number > max) {
    std::ostringstream allowed;
    allowed.imbue(std::locale::classic());
    allowed << "`" << key << "`: " << Quote(value->scalar) << " is not a number from " << min
            << " to " << max;
    Fault(key, allowed.str());
    return std::nullopt;
  }
  return number;
}

bool YamlMap::Bool(std::string_view key, bool fallback) {
  const Yaml* value = Scalar(key, "true or false");
  if (value == nullptr) return fallback;
  if (value->scalar == "true") return true;
  if (value->scalar == "false") return false;
  Fault(key, "`" + std::string(key) + "`: " + Quote(value->scalar) + " is neither true nor false");
  return fallback;
}

std::optional<Millis> YamlMap::Duration(std::string_view key, Millis min, Millis max) {
  const Yaml* value = Scalar(key, "a duration such as 15s or 1h30m");
  if (value == nullptr) return std::nullopt;
  const auto duration = ParseDuration(value->scalar);
  if (!duration || *duration < min || *duration > max) {
    Fault(key, "`" + std::string(key) + "`: " + Quote(value->scalar) + " is not a duration from " +
                   FormatDuration(min) + " to " + FormatDuration(max) +
                   " (units ms s m h d w, as in 15s or 1h30m)");
    return std::nullopt;
  }
  return duration;
}

Millis YamlMap::Duration(std::string_view key, Millis min, Millis max, Millis fallback) {
  return Duration(key, min, max).value_or(fallback);
}

int64_t YamlMap::Bytes(std::string_view key, int64_t min, int64_t max, int64_t fallback) {
  const Yaml* value = Scalar(key, "a size such as 256MB");
  if (value == nullptr) return fallback;
  const auto bytes = ParseBytes(value->scalar);
  if (!bytes || *bytes < min || *bytes > max) {
    Fault(key, "`" + std::string(key) + "`: " + Quote(value->scalar) + " is not a size from " +
                   std::to_string(min) + "B to " + std::to_string(max) + "B (as in 256MB)");
    return fallback;
  }
  return *bytes;
}

std::optional<Percent> YamlMap::PercentOf(std::string_view key) {
  const Yaml* value = Scalar(key, "a percentage such as 99.9 %");
  if (value == nullptr) return std::nullopt;
  const auto percent = ParsePercent(value->scalar);
  if (!percent) {
    Fault(key, "`" + std::string(key) + "`: " + Quote(value->scalar) +
                   " is not a percentage from 0 % to 100 % with at most 6 decimals");
  }
  return percent;
}

std::vector<std::string> YamlMap::Strings(std::string_view key) {
  const Yaml* value = Find(key);
  if (value == nullptr) return {};
  if (value->kind == Yaml::Kind::kScalar) return {value->scalar};
  std::vector<std::string> out;
  if (value->kind != Yaml::Kind::kList) {
    Fault(key, "`" + std::string(key) + "`: expected a list");
    return out;
  }
  for (const Yaml& element : value->list) {
    if (element.kind != Yaml::Kind::kScalar) {
      faults_->Add(element.at, "`" + std::string(key) + "`: expected a list of plain values");
      continue;
    }
    out.push_back(element.scalar);
  }
  return out;
}

std::string YamlMap::OneOf(std::string_view key, const std::vector<std::string_view>& allowed,
                           std::string_view fallback) {
  const auto value = String(key);
  if (!value) return std::string(fallback);
  if (std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) return *value;
  std::string list;
  for (const std::string_view word : allowed) {
    if (!list.empty()) list += ", ";
    list += word;
  }
  Fault(key, "`" + std::string(key) + "`: " + Quote(*value) + " is not one of " + list +
                 DidYouMean(*value, allowed));
  return std::string(fallback);
}

std::optional<YamlMap> YamlMap::Map(std::string_view key) {
  const Yaml* value = Find(key);
  if (value == nullptr) return std::nullopt;
  return YamlMap(*value, *faults_);
}

std::vector<YamlMap> YamlMap::Maps(std::string_view key) {
  const Yaml* value = Find(key);
  std::vector<YamlMap> out;
  if (value == nullptr || value->kind == Yaml::Kind::kNull) return out;
  if (value->kind != Yaml::Kind::kList) {
    Fault(key, "`" + std::string(key) + "`: expected a list");
    return out;
  }
  for (const Yaml& element : value->list) out.emplace_back(element, *faults_);
  return out;
}

const Yaml* YamlMap::Raw(std::string_view key) { return Find(key); }

bool YamlMap::Has(std::string_view key) const {
  return std::any_of(yaml_->map.begin(), yaml_->map.end(),
                     [&](const auto& entry) { return entry.first == key; });
}

void YamlMap::Fault(std::string_view key, std::string_view what) {
  const Yaml* value = Find(key);
  faults_->Add(value == nullptr ? yaml_->at : value->at, what);
}

void YamlMap::Finish() {
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [name, value] : yaml_->map) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string allowed;
    for (const std::string_view key : known) {
      if (!allowed.empty()) allowed += ", ";
      allowed += key;
    }
    faults_->Add(value.at,
                 "unknown key " + Quote(name) + DidYouMean(name, known) + "; allowed: " + allowed);
  }
}

}  // namespace oppetid
