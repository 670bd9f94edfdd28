#include "agent/sensors/name_filter.h"

#include <re2/re2.h>

#include <algorithm>

#include "common/text.h"

namespace oppetid::agent {

std::vector<std::string> ReadPatterns(YamlMap& config, std::string_view key) {
  std::vector<std::string> patterns = config.Strings(key);
  for (const std::string& pattern : patterns) {
    const RE2 regex(pattern, RE2::Quiet);
    if (!regex.ok()) {
      config.Fault(
          key, "`" + std::string(key) + "`: `" + OneLine(pattern, 60) +
                   "` is not a regular expression (RE2 syntax): " + OneLine(regex.error(), 100));
    }
  }
  return patterns;
}

bool MatchesAny(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return RE2::PartialMatch(name, pattern); });
}

NameFilter NameFilter::Read(YamlMap& config) {
  NameFilter filter;
  filter.only_ = ReadPatterns(config, "only");
  filter.ignore_ = ReadPatterns(config, "ignore");
  return filter;
}

bool NameFilter::Wants(const std::string& name) const {
  return (only_.empty() || MatchesAny(name, only_)) && !MatchesAny(name, ignore_);
}

}  // namespace oppetid::agent
