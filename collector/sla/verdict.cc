#include "collector/sla/verdict.h"

#include <array>

namespace oppetid::collector {
namespace {

// Milliseconds times millionths of a percent pass 64 bits after three years.
__extension__ typedef __int128 Wide;

constexpr int64_t kWhole = 100'000'000;  // 100 % in millionths of a percent

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  constexpr std::array<std::string_view, 5> kNames = {"not_applicable", "not_measured", "met",
                                                      "breached", "undetermined"};
  return kNames[static_cast<size_t>(verdict)];
}

bool AtLeast(int64_t part, int64_t whole, Percent share) {
  return static_cast<Wide>(part) * kWhole >= static_cast<Wide>(share.millionths) * whole;
}

Verdict VerdictOf(const Measured& measured, Percent target, UnknownMode mode) {
  const int64_t service_time = measured.service_time_ms();
  const int64_t known = measured.up_ms + measured.down_ms;
  if (service_time == 0) return Verdict::kNotApplicable;
  const auto decide = [&](int64_t part, int64_t whole) {
    return AtLeast(part, whole, target) ? Verdict::kMet : Verdict::kBreached;
  };
  switch (mode) {
    case UnknownMode::kDown:
      return decide(measured.up_ms, service_time);
    case UnknownMode::kUp:
      return decide(measured.up_ms + measured.unknown_ms, service_time);
    case UnknownMode::kExclude:
      return known == 0 ? Verdict::kNotMeasured : decide(measured.up_ms, known);
    case UnknownMode::kBounds:
      break;
  }
  if (known == 0) return Verdict::kNotMeasured;
  if (AtLeast(measured.up_ms, service_time, target)) return Verdict::kMet;
  if (!AtLeast(measured.up_ms + measured.unknown_ms, service_time, target)) {
    return Verdict::kBreached;
  }
  return Verdict::kUndetermined;
}

std::string CutOffPercent(int64_t part, int64_t whole, int decimals, std::string_view point) {
  if (whole == 0) return "";
  int64_t scale = 1;
  for (int i = 0; i < decimals; ++i) scale *= 10;
  const auto cut = static_cast<int64_t>(static_cast<Wide>(part) * 100 * scale / whole);
  std::string text = std::to_string(cut / scale);
  if (decimals == 0) return text;
  const std::string fraction = std::to_string(cut % scale);
  text += point;
  return text + std::string(static_cast<size_t>(decimals) - fraction.size(), '0') + fraction;
}

}  // namespace oppetid::collector
