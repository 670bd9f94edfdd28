// From when on a measured value is a warning or critical, and the verdict over all of them.
//
// Every level is optional; without levels the `host` sensor only measures. All values are whole
// numbers in a unit fine enough for what is compared, so that 95 % means 95 %.
// Pure but for reading the configuration; used from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/state.h"
#include "common/yaml.h"

namespace oppetid::agent {

struct Levels {
  std::optional<int64_t> warning;
  std::optional<int64_t> critical;

  bool given() const { return warning || critical; }
  // A value that reaches a level is in it.
  State Of(int64_t value) const;
};

// A fault of `map`, which has read the levels of `name`, unless `critical` is above `warning`.
void CheckOrder(YamlMap& map, std::string_view name, const Levels& levels);

// Shares are in millionths of a percent (as Percent), loads in thousandths, times in milliseconds.
struct HostLevels {
  Levels filesystems;  // share of bytes, and of inodes, not available to unprivileged users
  Levels memory;       // share not available
  Levels swap;         // share used
  Levels load;         // average over five minutes
  Levels time_offset;  // either way
  Levels units_failed;
  Levels updates;  // of all kinds
  Levels security_updates;
  State reboot_required = State::kOk;            // the state when one is
  std::vector<std::string> ignored_mountpoints;  // regular expressions, known to be valid
};
HostLevels ReadHostLevels(YamlMap& config);

// `part` of `whole` in millionths of a percent, cut off; 0 of nothing is 0.
int64_t Share(uint64_t part, uint64_t whole);
// One decimal, cut off and never rounded up: 99'999'999 -> "99.9 %".
std::string FormatShare(int64_t millionths);

// Gathers what was found; the worst comes first in the text.
class Verdict {
 public:
  // A value against its levels; ok ones are not told.
  void Judge(const Levels& levels, int64_t value, std::string_view text);
  // Something that has levels but could not be read.
  void Missing(const Levels& levels, std::string_view text);
  void Add(State state, std::string_view text);
  // Told when all is ok.
  void Summarise(std::string_view text);

  State state() const { return state_; }
  std::string Text() const;

 private:
  State state_ = State::kOk;
  std::vector<std::pair<State, std::string>> found_;
  std::string summary_;
};

}  // namespace oppetid::agent
