#include "collector/account/when.h"

#include <array>
#include <cstdio>

#include "common/text.h"

namespace oppetid::collector {
namespace {

// "20:00" or "20:00:30"; nullopt where it is neither.
std::optional<std::chrono::seconds> TimeOfDay(std::string_view text) {
  if (text.size() != 5 && text.size() != 8) return std::nullopt;
  std::array<int, 3> parts{};
  for (size_t i = 0; i * 3 < text.size(); ++i) {
    const std::string_view digits = text.substr(i * 3, 2);
    if (i > 0 && text[i * 3 - 1] != ':') return std::nullopt;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      parts[i] = parts[i] * 10 + (c - '0');
    }
  }
  if (parts[0] > 23 || parts[1] > 59 || parts[2] > 59) return std::nullopt;
  return std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) +
         std::chrono::seconds(parts[2]);
}

}  // namespace

absl::StatusOr<Instant> ParseWhen(std::string_view text, const Zone& zone) {
  if (const auto instant = ParseInstant(text)) return *instant;
  const std::string quoted = "`" + OneLine(text, 60) + "`";
  const bool split = text.size() > 10 && (text[10] == ' ' || text[10] == 'T');
  const auto date = split ? ParseDate(text.substr(0, 10)) : std::nullopt;
  const auto time = split ? TimeOfDay(text.substr(11)) : std::nullopt;
  if (!date || !time) {
    return absl::InvalidArgumentError(
        quoted +
        " is not an instant; allowed: local time as in \"2026-07-10 20:00\", or RFC 3339 as in "
        "2026-07-10T18:00:00Z");
  }
  const LocalTime local = *date + *time;
  const Instant first = zone.First(local), second = zone.Second(local);
  if (zone.LocalOf(first) != local) {
    return absl::InvalidArgumentError(quoted +
                                      " does not exist: the clocks go forward over it, at " +
                                      FormatLocal(first, zone) + " (" + FormatInstant(first) + ")");
  }
  if (first != second) {
    return absl::InvalidArgumentError(
        quoted + " exists twice, because the clocks go back; allowed: " + FormatLocal(first, zone) +
        " or " + FormatLocal(second, zone));
  }
  return first;
}

std::string FormatLocal(Instant at, const Zone& zone) {
  const LocalTime local = zone.LocalOf(at);
  const auto offset = std::chrono::duration_cast<std::chrono::minutes>(local.time_since_epoch() -
                                                                       at.time_since_epoch());
  const std::string text = FormatInstant(Instant(local.time_since_epoch()));
  std::array<char, 16> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "%c%02d:%02d", offset.count() < 0 ? '-' : '+',
                static_cast<int>(std::abs(offset.count()) / 60 % 100),
                static_cast<int>(std::abs(offset.count()) % 60));
  return text.substr(0, 19) + suffix.data();
}

}  // namespace oppetid::collector
