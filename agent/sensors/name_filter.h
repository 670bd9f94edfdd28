// Which of the sensors that a device has are wanted: `only` and `ignore`, regular expressions over
// their names. Used from the agent's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/yaml.h"

namespace oppetid::agent {

// Regular expressions (RE2 syntax), each known to be valid; a fault for one that is not.
std::vector<std::string> ReadPatterns(YamlMap& config, std::string_view key);

bool MatchesAny(const std::string& name, const std::vector<std::string>& patterns);

class NameFilter {
 public:
  // Reads `only` and `ignore`.
  static NameFilter Read(YamlMap& config);
  bool Wants(const std::string& name) const;

 private:
  std::vector<std::string> only_;  // none means all
  std::vector<std::string> ignore_;
};

}  // namespace oppetid::agent
