// Whether an agreement was met, by exact integers.
//
// Pure, safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/sla/catalogue.h"

namespace oppetid::collector {

enum class Verdict { kNotApplicable, kNotMeasured, kMet, kBreached, kUndetermined };

std::string_view VerdictName(Verdict verdict);

// part / whole >= share, without rounding. `whole` > 0; both at most some millions of years.
bool AtLeast(int64_t part, int64_t whole, Percent share);

// The time that a verdict is about, in milliseconds.
struct Measured {
  int64_t up_ms = 0;
  int64_t down_ms = 0;
  int64_t unknown_ms = 0;
  int64_t service_time_ms() const { return up_ms + down_ms + unknown_ms; }
};

Verdict VerdictOf(const Measured& measured, Percent target, UnknownMode mode);

// part / whole in percent with `decimals` decimals (at most 6), cut off and never rounded up, with
// `point` as the decimal sign: "99.99". Empty where `whole` is 0.
std::string CutOffPercent(int64_t part, int64_t whole, int decimals, std::string_view point);

}  // namespace oppetid::collector
