// Logs as logfmt on stderr, one line an event: `ts=… level=info msg="…" key=value`.
//
// Threading: safe from any thread; a line is one write. Values from outside are escaped and cut, so
// a log can neither be forged nor flooded by one of them. Secrets are never passed here.
// What may repeat is counted in a metric and logged through a RateLimit.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace oppetid {

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, int64_t v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, uint64_t v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

void LogInfo(std::string_view message, LogFields fields = {});
void LogWarning(std::string_view message, LogFields fields = {});
void LogError(std::string_view message, LogFields fields = {});

// The text of one line without its newline; what the functions above write. For tests.
std::string FormatLogLine(Instant at, std::string_view level, std::string_view message,
                          LogFields fields);

// Lets an event through at most once per `interval` and counts the others.
// Threading: safe from any thread.
class RateLimit {
 public:
  explicit RateLimit(Millis interval) : interval_(interval) {}
  // Whether to log now; then `*suppressed` is the number held back since the last one let through.
  bool Allow(Steady now, uint64_t* suppressed);

 private:
  std::mutex mutex_;
  Millis interval_;
  Steady next_{};
  uint64_t suppressed_ = 0;
};

}  // namespace oppetid
