// Instants and durations: UTC milliseconds everywhere, and their text forms.
//
// Pure functions, safe from any thread. Errors are values: a parse that fails returns nullopt and
// the caller, who knows file and line, words the refusal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oppetid {

using Millis = std::chrono::milliseconds;
// A point in time, UTC, whole milliseconds since 1970.
using Instant = std::chrono::sys_time<Millis>;

constexpr Instant FromUnixMillis(int64_t ms) { return Instant(Millis(ms)); }
constexpr int64_t ToUnixMillis(Instant at) { return at.time_since_epoch().count(); }

// RFC 3339 with `Z` or a numeric offset and up to three fraction digits, years 1970 to 9999:
// "2026-07-03T10:12:30.500Z", "2026-07-03T12:12:30+02:00". Leap seconds (":60") are refused.
std::optional<Instant> ParseInstant(std::string_view text);

// RFC 3339, UTC, exactly three decimals: "2026-07-03T10:12:30.500Z".
std::string FormatInstant(Instant at);

// One or more of `<digits><unit>` with units ms s m h d w, each unit at most once and larger ones
// first: "15s", "1h30m", "14d". A day is 24 hours. At most 100 years. No sign, no space.
std::optional<Millis> ParseDuration(std::string_view text);

// The shortest such text: 5400000 -> "1h30m"; zero -> "0s".
std::string FormatDuration(Millis duration);

}  // namespace oppetid
