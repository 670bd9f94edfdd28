// The bounds of the wire, and why each is what it is. The receiver enforces every one; a refusal
// is counted and says which bound it was. Bounds that concern one file stand in that file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/instant.h"

namespace oppetid::limits {

// gRPC's own default; a Snapshot of 20,000 series with definitions is 3 MB.
inline constexpr int kFrameBytes = 4'194'304;
// 2000 checks on one host is ten times the busiest server we know of.
inline constexpr size_t kChecks = 2000;
// Series defined at a time per agent; a windows_exporter gives 2,000 to 5,000.
inline constexpr uint32_t kSeries = 20'000;
inline constexpr uint32_t kSeriesId = 1'000'000;
inline constexpr size_t kLabels = 32;
inline constexpr size_t kNameBytes = 200;
inline constexpr size_t kLabelValueBytes = 1024;
// One line of text about a check.
inline constexpr size_t kTextBytes = 256;
// Facts frames on their way; bounds what a slow collector makes an agent hold in memory.
inline constexpr uint32_t kFramesUnacked = 8;
inline constexpr uint32_t kFactsPerFrame = 1000;
inline constexpr size_t kEpochs = 10'000;

inline constexpr Millis kMinInterval{1'000};
inline constexpr Millis kMaxInterval{3'600'000};
inline constexpr Millis kMinEvery{100};
inline constexpr Millis kMaxEvery{31LL * 86'400'000};
inline constexpr Millis kMaxValidFor{400LL * 86'400'000};
// An agent whose clock is further ahead than this is not believed (ARCHITECTURE.md, "Clocks").
inline constexpr Millis kClockAhead{60'000};

}  // namespace oppetid::limits
