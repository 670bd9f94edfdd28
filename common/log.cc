#include "common/log.h"

#include <unistd.h>

#include "common/text.h"

namespace oppetid {
namespace {

constexpr size_t kMaxValueBytes = 512;  // a line stays readable whatever somebody sent us

bool NeedsQuotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
}

void Write(std::string_view level, std::string_view message, LogFields fields) {
  const std::string line = FormatLogLine(SystemClock().Now(), level, message, fields) + "\n";
  // A log that cannot be written has nowhere to report to.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

std::string FormatLogLine(Instant at, std::string_view level, std::string_view message,
                          LogFields fields) {
  std::string line = "ts=" + FormatInstant(at) + " level=" + std::string(level) +
                     " msg=" + JsonQuote(OneLine(message, kMaxValueBytes));
  for (const LogField& field : fields) {
    const std::string value = OneLine(field.value, kMaxValueBytes);
    line += ' ';
    line += field.key;
    line += '=';
    line += NeedsQuotes(value) ? JsonQuote(value) : value;
  }
  return line;
}

void LogInfo(std::string_view message, LogFields fields) { Write("info", message, fields); }
void LogWarning(std::string_view message, LogFields fields) { Write("warning", message, fields); }
void LogError(std::string_view message, LogFields fields) { Write("error", message, fields); }

bool RateLimit::Allow(Steady now, uint64_t* suppressed) {
  const std::lock_guard lock(mutex_);
  if (now < next_) {
    ++suppressed_;
    return false;
  }
  next_ = now + interval_;
  *suppressed = suppressed_;
  suppressed_ = 0;
  return true;
}

}  // namespace oppetid
