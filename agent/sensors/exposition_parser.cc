#include "agent/sensors/exposition_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/text.h"

namespace oppetid::agent {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Takes a metric name (colons allowed) or a label name; empty when there is none.
std::string_view TakeName(std::string_view& text, bool colons) {
  size_t size = 0;
  while (size < text.size()) {
    const char c = text[size];
    const bool fits = IsNameStart(c) || (colons && c == ':') || (size > 0 && IsDigit(c));
    if (!fits) break;
    ++size;
  }
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

std::string_view TakeWord(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

// Takes what stands between an opening quote that is already taken and the closing one.
bool TakeQuoted(std::string_view& text, std::string& value) {
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return IsUtf8(value);
    }
    if (c == '\\' && i + 1 < text.size()) {
      const char escaped = text[i + 1];
      if (escaped == '\\' || escaped == '"' || escaped == 'n') {
        c = escaped == 'n' ? '\n' : escaped;
        ++i;
      }
    }
    if (value.size() >= kMaxLabelValueBytes) return false;
    value += c;
  }
  return false;  // no closing quote
}

// Takes `name="value",…}`; the opening brace is already taken.
bool TakeLabels(std::string_view& text, ExpositionSeries& series) {
  SkipBlanks(text);
  while (!Take(text, '}')) {
    const std::string_view name = TakeName(text, false);
    if (name.empty() || name.size() > kMaxSeriesNameBytes) return false;
    SkipBlanks(text);
    if (!Take(text, '=')) return false;
    SkipBlanks(text);
    std::string value;
    if (!Take(text, '"') || !TakeQuoted(text, value)) return false;
    if (series.labels.size() >= kMaxSeriesLabels) return false;
    series.labels.emplace_back(name, std::move(value));
    SkipBlanks(text);
    if (Take(text, ',')) {
      SkipBlanks(text);
    } else if (!text.starts_with('}')) {
      return false;
    }
  }
  std::sort(series.labels.begin(), series.labels.end());
  const auto twice =
      std::adjacent_find(series.labels.begin(), series.labels.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != series.labels.end()) return false;
  std::erase_if(series.labels, [](const auto& label) { return label.second.empty(); });
  return true;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

std::optional<double> ReadValue(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  const std::string_view magnitude = text.starts_with('-') ? text.substr(1) : text;
  if (magnitude.empty()) return std::nullopt;
  if (!IsDigit(magnitude.front()) && magnitude.front() != '.' &&
      !EqualsIgnoringCase(magnitude, "inf") && !EqualsIgnoringCase(magnitude, "infinity") &&
      !EqualsIgnoringCase(text, "nan")) {
    return std::nullopt;  // from_chars would also read "nan(0)"
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsTimestamp(std::string_view text) { return ReadValue(text).has_value(); }

// Reads `name{labels} value [timestamp] [# exemplar]`.
bool ReadSeries(std::string_view line, ExpositionSeries& series) {
  const std::string_view name = TakeName(line, true);
  if (name.empty() || name.size() > kMaxSeriesNameBytes) return false;
  series.name = name;
  series.labels.clear();
  const size_t before_blanks = line.size();
  SkipBlanks(line);
  const bool separated = line.size() != before_blanks;
  if (Take(line, '{')) {
    if (!TakeLabels(line, series)) return false;
  } else if (!separated) {
    return false;
  }
  SkipBlanks(line);
  const auto value = ReadValue(TakeWord(line));
  if (!value) return false;
  series.value = *value;
  SkipBlanks(line);
  if (line.empty() || line.starts_with('#')) return true;  // what follows a # is an exemplar
  if (!IsTimestamp(TakeWord(line))) return false;
  SkipBlanks(line);
  return line.empty() || line.starts_with('#');
}

}  // namespace

bool ExpositionParser::Next(ExpositionSeries& series) {
  while (!rest_.empty()) {
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(rest_.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    SkipBlanks(line);
    if (line.empty() || line.starts_with('#')) continue;
    if (ReadSeries(line, series)) return true;
    ++invalid_lines_;
  }
  return false;
}

}  // namespace oppetid::agent
