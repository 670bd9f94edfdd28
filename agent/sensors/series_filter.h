// Which of an exporter's series are carried: the operator's patterns, our reserved names, the
// labels that only a certificate may give, and the limit.
//
// Pure, safe from any thread once made.
#pragma once

#include <re2/re2.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/sensors/sensor.h"
#include "common/yaml.h"

namespace oppetid::agent {

struct Carried {
  std::vector<Sample> series;
  size_t over_limit = 0;  // valid and wanted, but more than the limit
  // Invalid lines, reserved names, and what was there already.
  size_t dropped = 0;
  bool not_exposition = false;  // nothing in it looked like a series or a comment
};

// Patterns are found anywhere in the metric's name, unless they are anchored.
using Patterns = std::vector<std::unique_ptr<RE2>>;

struct SeriesFilter {
  Carried Read(std::string_view exposition) const;

  Patterns keep;  // none: everything
  Patterns drop;  // wins over keep
  size_t limit = 0;

 private:
  bool Wants(std::string_view name) const;
};

// Reads a list of regular expressions; a broken one is a fault.
Patterns ReadPatterns(YamlMap& config, std::string_view key);

}  // namespace oppetid::agent
