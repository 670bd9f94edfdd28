#include "agent/sensors/plugin_output.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "common/text.h"

namespace oppetid::agent {
namespace {

struct Unit {
  std::string_view written;
  std::string_view base;
  double factor;
};

constexpr auto kUnits = std::to_array<Unit>({
    {"", "", 1},
    {"s", "seconds", 1},
    {"ms", "seconds", 1e-3},
    {"us", "seconds", 1e-6},
    {"ns", "seconds", 1e-9},
    {"%", "ratio", 0.01},
    {"c", "count", 1},
    {"B", "bytes", 1},
    {"kB", "bytes", 1e3},
    {"KB", "bytes", 1e3},
    {"MB", "bytes", 1e6},
    {"GB", "bytes", 1e9},
    {"TB", "bytes", 1e12},
    {"PB", "bytes", 1e15},
    {"KiB", "bytes", 0x1p10},
    {"MiB", "bytes", 0x1p20},
    {"GiB", "bytes", 0x1p30},
    {"TiB", "bytes", 0x1p40},
    {"PiB", "bytes", 0x1p50},
});

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Takes a finite decimal number off the front of `text`.
std::optional<double> TakeNumber(std::string_view& text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const std::string_view unsigned_part =
      digits.starts_with('-') && digits.size() == text.size() ? digits.substr(1) : digits;
  // from_chars would also read "inf" and "nan".
  if (unsigned_part.empty() ||
      !((unsigned_part[0] >= '0' && unsigned_part[0] <= '9') || unsigned_part[0] == '.')) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  text = digits.substr(static_cast<size_t>(end - digits.data()));
  return value;
}

std::optional<double> WholeNumber(std::string_view text) {
  const auto value = TakeNumber(text);
  return text.empty() ? value : std::nullopt;
}

// nullopt for what is no unit: digits, punctuation (the ",5" of a decimal comma), control
// characters, ill-formed UTF-8.
std::optional<Unit> ReadUnit(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (unit.written == text) return unit;
  }
  const bool odd = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && !(c >= 'a' && c <= 'z') &&
           !(c >= 'A' && c <= 'Z') && c != '/' && c != '%';
  });
  if (odd || OneLine(text, kMaxPluginUnitBytes) != text) return std::nullopt;
  return Unit{text, text, 1};
}

bool Scale(double& value, double factor) {
  value *= factor;
  return std::isfinite(value);
}

bool Scale(PluginRange& range, double factor) {
  return (!range.lower || Scale(*range.lower, factor)) &&
         (!range.upper || Scale(*range.upper, factor));
}

// Takes the label off the front of `text`, with the = that ends it. nullopt when there is none;
// `text` then begins after the piece that was no performance data.
std::optional<std::string> TakeLabel(std::string_view& text) {
  std::string label;
  size_t at = 0;
  if (text.starts_with('\'')) {
    for (at = 1; at < text.size(); ++at) {
      if (text[at] != '\'') {
        label += text[at];
      } else if (at + 1 < text.size() && text[at + 1] == '\'') {
        label += text[at++];  // '' is an escaped quote
      } else {
        break;
      }
    }
    ++at;  // the closing quote
  } else {
    while (at < text.size() && text[at] != '=' && !IsSpace(text[at])) label += text[at++];
  }
  if (at < text.size() && text[at] == '=') {
    text.remove_prefix(at + 1);
    return label;
  }
  while (at < text.size() && !IsSpace(text[at])) ++at;
  text.remove_prefix(std::min(at, text.size()));
  return std::nullopt;
}

// Reads "value[unit];[warn];[crit];[min];[max]". False when it is not valid. An undetermined value
// leaves `undetermined` set.
bool ReadNumbers(std::string_view text, PluginValue& into, bool& undetermined) {
  std::array<std::string_view, 5> fields;
  for (std::string_view& field : fields) {
    const size_t end = text.find(';');
    field = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  if (!text.empty()) return false;
  undetermined = fields[0] == "U";
  if (undetermined) return true;
  const auto value = TakeNumber(fields[0]);
  const auto unit = value ? ReadUnit(fields[0]) : std::nullopt;
  if (!unit) return false;
  into.value = *value;
  into.unit = unit->base;
  // A threshold that cannot be read costs the threshold, not the value.
  into.warning = ParsePluginRange(fields[1]).value_or(PluginRange{});
  into.critical = ParsePluginRange(fields[2]).value_or(PluginRange{});
  if (!Scale(into.warning, unit->factor)) into.warning = {};
  if (!Scale(into.critical, unit->factor)) into.critical = {};
  return Scale(into.value, unit->factor);
}

void ParsePerformanceData(std::string_view text, PluginOutput& output) {
  std::set<std::pair<std::string, std::string>> seen;
  for (text = Trim(text); !text.empty(); text = Trim(text)) {
    const auto label = TakeLabel(text);
    if (!label) {
      ++output.ignored;
      continue;
    }
    const auto end = std::find_if(text.begin(), text.end(), IsSpace);
    const std::string_view numbers = text.substr(0, static_cast<size_t>(end - text.begin()));
    text.remove_prefix(numbers.size());
    PluginValue value;
    value.label = OneLine(*label, kMaxPluginLabelBytes);
    bool undetermined = false;
    if (!ReadNumbers(numbers, value, undetermined) || Trim(value.label).empty()) {
      ++output.ignored;
      continue;
    }
    if (undetermined) continue;
    if (output.values.size() >= kMaxPluginValues || !seen.emplace(value.label, value.unit).second) {
      ++output.ignored;
      continue;
    }
    output.values.push_back(std::move(value));
  }
}

}  // namespace

std::optional<PluginRange> ParsePluginRange(std::string_view text) {
  PluginRange range;
  if (text.empty()) return range;
  if (text.starts_with('@')) {
    range.inside = true;
    text.remove_prefix(1);
  }
  const size_t colon = text.find(':');
  const std::string_view start =
      colon == std::string_view::npos ? std::string_view("~") : text.substr(0, colon);
  const std::string_view end = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (start != "~") {
    range.lower = start.empty() ? 0 : WholeNumber(start);
    if (!range.lower) return std::nullopt;
  }
  if (!end.empty() || colon == std::string_view::npos) {
    range.upper = WholeNumber(end);
    if (!range.upper) return std::nullopt;
  }
  if (range.lower && range.upper && *range.lower > *range.upper) return std::nullopt;
  return range;
}

PluginOutput ParsePluginOutput(std::string_view text) {
  PluginOutput output;
  const std::string_view first = text.substr(0, text.find('\n'));
  const std::string_view rest = text.substr(std::min(text.size(), first.size() + 1));
  const size_t bar = first.find('|');
  output.text = OneLine(Trim(first.substr(0, bar)));
  std::string data;
  if (bar != std::string_view::npos) data = first.substr(bar + 1);
  if (const size_t long_bar = rest.find('|'); long_bar != std::string_view::npos) {
    data += '\n';
    data += rest.substr(long_bar + 1);
  }
  ParsePerformanceData(data, output);
  return output;
}

}  // namespace oppetid::agent
