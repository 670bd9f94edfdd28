// What a ledger tells, as lines of text that a test can compare.
#pragma once

#include <string>
#include <vector>

#include "collector/ledger/ledger.h"

namespace oppetid::collector {

inline constexpr int64_t kLedgerEpochMs = 1'780'000'000'000;
// Seconds after the instant at which all these tests begin.
inline Instant At(int64_t seconds) { return FromUnixMillis(kLedgerEpochMs + seconds * 1000); }

// The same instant back as seconds.
inline std::string Secs(Instant at) {
  return std::to_string((ToUnixMillis(at) - kLedgerEpochMs) / 1000);
}

// A span as text: "srv1/disk ok 0-60 @5", seconds as in At.
inline std::string Tell(const StoredSpan& span, bool with_record = true) {
  std::string text = span.host + "/" + span.check + " " +
                     (span.gap ? "gap(" + span.reason + ")" : std::string(StateName(span.state))) +
                     " " + Secs(span.from) + "-" + Secs(span.to);
  if (with_record) text += " @" + Secs(span.recorded_at);
  return text;
}

// Every span from `from` to `to`, told.
inline std::vector<std::string> Spans(const Ledger& ledger, Instant from = At(-1'000'000),
                                      Instant to = At(1'000'000), bool with_record = true) {
  std::vector<std::string> told;
  auto reader = ledger.OpenReader();
  if (!reader.ok()) return {std::string(reader.status().message())};
  const absl::Status status = (*reader)->ForEachSpan(
      from, to, [&](const StoredSpan& span) { told.push_back(Tell(span, with_record)); });
  if (!status.ok()) told.emplace_back(status.message());
  return told;
}

}  // namespace oppetid::collector
