// Fuzzes the Prometheus text format. Breaks when a promise of exposition_parser.h does not hold,
// and when a series, written again, reads as another one.
#include <algorithm>
#include <charconv>
#include <cstdint>

#include "agent/sensors/exposition_parser.h"
#include "common/check.h"
#include "common/text.h"

namespace {

using oppetid::agent::ExpositionParser;
using oppetid::agent::ExpositionSeries;

bool IsName(std::string_view name, bool colons) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  };
  return !name.empty() && name.size() <= oppetid::agent::kMaxSeriesNameBytes &&
         !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), fits);
}

std::string Write(const ExpositionSeries& series) {
  std::string line = series.name + "{";
  for (const auto& [name, value] : series.labels) {
    line += name + "=\"";
    for (const char c : value) {
      if (c == '\n') {
        line += "\\n";
      } else {
        if (c == '"' || c == '\\') line += '\\';
        line += c;
      }
    }
    line += "\",";
  }
  char number[32];
  const auto end = std::to_chars(number, number + sizeof number, series.value).ptr;
  return line + "} " + std::string(number, end);
}

void CheckSeries(const ExpositionSeries& series) {
  OPPETID_CHECK(IsName(series.name, true), "metric names are valid");
  OPPETID_CHECK(series.labels.size() <= oppetid::agent::kMaxSeriesLabels, "labels are bounded");
  for (size_t i = 0; i < series.labels.size(); ++i) {
    const auto& [name, value] = series.labels[i];
    OPPETID_CHECK(IsName(name, false), "label names are valid");
    OPPETID_CHECK(!value.empty() && value.size() <= oppetid::agent::kMaxLabelValueBytes,
                  "label values are bounded");
    OPPETID_CHECK(oppetid::IsUtf8(value), "label values are UTF-8");
    OPPETID_CHECK(i == 0 || series.labels[i - 1].first < name, "label names are sorted and unique");
  }
  const std::string line = Write(series);
  ExpositionParser parser(line);
  ExpositionSeries again;
  OPPETID_CHECK(parser.Next(again), "what was read can be read again");
  OPPETID_CHECK(again.name == series.name && again.labels == series.labels, "and is the same");
  OPPETID_CHECK(
      again.value == series.value || (again.value != again.value && series.value != series.value),
      "with the same value");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<size_t>(std::count(input.begin(), input.end(), '\n')) + 1;
  ExpositionParser parser(input);
  ExpositionSeries series;
  size_t count = 0;
  while (parser.Next(series)) {
    ++count;
    CheckSeries(series);
  }
  OPPETID_CHECK(count + parser.invalid_lines() <= lines, "a line is at most one series");
  return 0;
}
