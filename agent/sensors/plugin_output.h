// What a monitoring plugin prints: a line for people, and performance data for machines, as the
// Monitoring Plugins guidelines have it:
//
//   TEXT | 'label'=value[unit];[warn];[crit];[min];[max] ...
//   long text, which is left out
//   more long text | more performance data
//   and more
//
// Units become base units, so that one panel fits all plugins:
//   ns us ms s -> seconds;  B, kB/KB MB GB TB PB (powers of 1000, as SI has them) and KiB MiB GiB
//   TiB PiB (powers of 1024) -> bytes;  % -> ratio;  c -> count;  none -> "".
// Any other unit (C, V, rpm …) is kept as the plugin wrote it. min and max are left out.
//
// Pure functions, safe from any thread; hostile input costs time linear in its size.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

// A plugin with more than this reports something that is no health of one thing.
inline constexpr size_t kMaxPluginValues = 200;
// Longer labels are cut: a label names a disk or an interface, not a story.
inline constexpr size_t kMaxPluginLabelBytes = 200;
inline constexpr size_t kMaxPluginUnitBytes = 16;

// A threshold range. Alert outside of [lower, upper]; with `inside`, alert within it. A limit that
// is infinite, or the 0 that the short form "10" implies, is absent.
struct PluginRange {
  std::optional<double> lower;
  std::optional<double> upper;
  bool inside = false;
};

struct PluginValue {
  std::string label;  // not empty, one line, well-formed UTF-8
  std::string unit;
  double value = 0;  // finite, like every number here
  PluginRange warning;
  PluginRange critical;
};

struct PluginOutput {
  std::string text;                 // the first line without performance data, at most 256 bytes
  std::vector<PluginValue> values;  // label and unit are unique
  // Pieces of performance data left out: not valid (decimal commas …), twice, or over the limit.
  // A value "U" is not among them: so a plugin says that it could not determine it.
  size_t ignored = 0;
};

PluginOutput ParsePluginOutput(std::string_view output);

// "10", "10:", "~:10", "10:20" or "@10:20"; empty is a range without limits. nullopt if not valid.
std::optional<PluginRange> ParsePluginRange(std::string_view text);

}  // namespace oppetid::agent
