// The Prometheus text exposition format 0.0.4, read one series at a time.
//
// Strict where a wrong guess would invent data (names, quotes, numbers), tolerant where exporters
// differ harmlessly: blanks, CRLF, unknown escapes (kept, as Prometheus does), timestamps (left
// out: values are as of now), OpenMetrics' exemplars and "# EOF". HELP and TYPE are comments: what
// is carried is untyped.
//
// Pure, safe from any thread; memory is bounded by one series, time is linear in the input.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oppetid::agent {

// What the wire contract allows for one series.
inline constexpr size_t kMaxSeriesLabels = 32;
inline constexpr size_t kMaxSeriesNameBytes = 200;  // of metric and label names
inline constexpr size_t kMaxLabelValueBytes = 1024;

struct ExpositionSeries {
  std::string name;  // [a-zA-Z_:][a-zA-Z0-9_:]*
  // Sorted by name, names unique and [a-zA-Z_][a-zA-Z0-9_]*, values well-formed UTF-8, none empty:
  // an empty label is no label.
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

class ExpositionParser {
 public:
  // `text` must outlive the parser.
  explicit ExpositionParser(std::string_view text) : rest_(text) {}

  // Moves on to the next valid series; false at the end.
  bool Next(ExpositionSeries& series);

  // Lines so far that were neither a series, a comment nor blank, or broke a bound.
  size_t invalid_lines() const { return invalid_lines_; }

 private:
  std::string_view rest_;
  size_t invalid_lines_ = 0;
};

}  // namespace oppetid::agent
