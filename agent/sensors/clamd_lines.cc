#include "agent/sensors/clamd_lines.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr size_t kMaxLine = 256;

// "Wed Nov 19 09:37:52 2026"
std::optional<std::tm> ParseTime(const std::string& text) {
  std::array<char, 4> weekday{};
  std::array<char, 4> month{};
  std::tm time{};
  const int fields =
      std::sscanf(text.c_str(), "%3s %3s %2d %2d:%2d:%2d %4d", weekday.data(), month.data(),
                  &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec, &time.tm_year);
  const auto found = std::find_if(kMonths.begin(), kMonths.end(), [&](const char* name) {
    return std::strcmp(name, month.data()) == 0;
  });
  const auto within = [](int value, int min, int max) { return value >= min && value <= max; };
  if (fields != 7 || found == kMonths.end() || !within(time.tm_mday, 1, 31) ||
      !within(time.tm_hour, 0, 23) || !within(time.tm_min, 0, 59) || !within(time.tm_sec, 0, 60) ||
      !within(time.tm_year, 1970, 9999)) {
    return std::nullopt;
  }
  time.tm_mon = static_cast<int>(found - kMonths.begin());
  time.tm_year -= 1900;
  time.tm_isdst = -1;
  return time;
}

}  // namespace

std::optional<ClamdVersion> ParseClamdVersion(std::string_view line) {
  line = line.substr(0, std::min({line.find('\n'), line.find('\0'), kMaxLine}));
  const size_t first = line.find('/');
  ClamdVersion version;
  version.program = OneLine(line.substr(0, first), 60);
  if (!version.program.starts_with("ClamAV ")) return std::nullopt;
  if (first == std::string_view::npos) return version;
  line.remove_prefix(first + 1);
  const size_t second = line.find('/');
  version.database = OneLine(line.substr(0, second), 20);
  if (second != std::string_view::npos) {
    version.made = ParseTime(std::string(line.substr(second + 1)));
  }
  return version;
}

}  // namespace oppetid::agent
