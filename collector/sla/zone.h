// Local time and periods: the one place where the time zone database is asked.
//
// Pure but for the first use of a zone, which reads the system's tzdata. Safe from any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "collector/sla/intervals.h"

namespace date {
class time_zone;
}

namespace oppetid::collector {

using LocalDate = std::chrono::local_days;
using LocalTime = std::chrono::local_time<Millis>;

class Zone {
 public:
  // nullopt where the database has no zone of that name (or cannot be read).
  static std::optional<Zone> Find(const std::string& name);

  // A local time that exists twice means its first instant, or its second; one that does not exist
  // means the instant of the change.
  Instant First(LocalTime at) const;
  Instant Second(LocalTime at) const;
  LocalDate DateOf(Instant at) const;
  LocalTime LocalOf(Instant at) const;

 private:
  explicit Zone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_;  // owned by the database, which lives as long as the program
};

// "2026-07-01", years 1970 to 9999.
std::optional<LocalDate> ParseDate(std::string_view text);
std::string FormatDate(LocalDate date);

struct Period {
  std::string label;  // as asked for
  Instant from;
  Instant to;
};

// "2026-Q3", "2026-07", "2026" or "2026-07-01..2026-08-01" (the last day does not count; the first
// may equal it, for an empty period).
std::optional<Period> ParsePeriod(std::string_view text, const Zone& zone);

}  // namespace oppetid::collector
