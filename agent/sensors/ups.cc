#include "agent/sensors/ups.h"

#include <cmath>

#include "agent/sensors/room.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Millis kLongest = hours(24 * 31);
constexpr int64_t kPercent = 1'000'000;  // millionths
// What a UPS cannot have, in percent and seconds: fuller than full by more than it is mistaken;
// ten times what it was built for, which blows its fuse; longer than a generation.
constexpr double kMaxCharge = 110;
constexpr double kMaxLoad = 1000;
constexpr double kMaxRuntime = 1e9;

std::string Minutes(double duration_s) {
  if (duration_s < 120) return std::to_string(std::llround(duration_s)) + " s";
  return std::to_string(std::llround(std::floor(duration_s / 60))) + " min";
}

std::string Whole(double percent) { return std::to_string(std::llround(percent)) + " %"; }

void ReadDuration(YamlMap& map, std::string_view key, std::optional<int64_t>& level_ms) {
  if (const auto value = map.Duration(key, Millis(0), kLongest)) level_ms = value->count();
}

void ReadSeconds(YamlMap& map, std::string_view key, std::optional<int64_t>& level_s) {
  if (const auto value = map.Duration(key, Millis(0), kLongest)) level_s = value->count() / 1000;
}

// What devices say that cannot measure it: -1, also as 65535 or 4294967295; -999 degrees.
void DropImpossible(UpsReading& ups) {
  const auto drop = [](std::optional<double>& value, double min, double max) {
    if (value && !(*value >= min && *value <= max)) value.reset();
  };
  drop(ups.charge_percent, 0, kMaxCharge);
  drop(ups.load_percent, 0, kMaxLoad);
  drop(ups.temperature_celsius, kMinCelsius, kMaxCelsius);
  drop(ups.runtime_seconds, 0, kMaxRuntime);
}

}  // namespace

UpsLevels ReadUpsLevels(YamlMap& config) {
  UpsLevels levels;
  levels.on_battery = {Millis(seconds(15)).count(), Millis(minutes(5)).count()};
  levels.runtime_critical_s = 600;
  levels.runtime_low_warning_s = 900;
  levels.runtime_low_critical_s = 300;
  levels.load = {80 * kPercent, 100 * kPercent};
  levels.charge_low = 90 * kPercent;
  levels.charge_low_for = hours(12);
  if (auto map = config.Map("on_battery")) {
    ReadDuration(*map, "warning", levels.on_battery.warning);
    ReadDuration(*map, "critical", levels.on_battery.critical);
    CheckOrder(*map, "on_battery", levels.on_battery);
    if (const auto left = map->Duration("runtime", Millis(0), kLongest)) {
      levels.runtime_critical_s = left->count() / 1000;
    }
    map->Finish();
  }
  if (auto map = config.Map("runtime")) {
    ReadSeconds(*map, "warning", levels.runtime_low_warning_s);
    ReadSeconds(*map, "critical", levels.runtime_low_critical_s);
    if (*levels.runtime_low_warning_s <= *levels.runtime_low_critical_s) {
      map->Fault("warning", "`runtime`: `warning` must be above `critical` (15m and 5m if absent)");
    }
    map->Finish();
  }
  if (auto map = config.Map("load")) {
    if (const auto share = map->PercentOf("warning")) levels.load.warning = share->millionths;
    if (const auto share = map->PercentOf("critical")) levels.load.critical = share->millionths;
    CheckOrder(*map, "load", levels.load);
    map->Finish();
  }
  if (auto map = config.Map("charge")) {
    if (const auto share = map->PercentOf("below")) levels.charge_low = share->millionths;
    levels.charge_low_for = map->Duration("for", Millis(0), kLongest, levels.charge_low_for);
    map->Finish();
  }
  return levels;
}

void UpsJudge::Judge(UpsReading ups, Steady now, Verdict& verdict, Answer& answer) {
  DropImpossible(ups);
  JudgePower(ups, now, verdict, answer);
  JudgeCharge(ups, now, verdict);
  if (ups.off) verdict.Add(State::kCritical, "the output is off");
  if (ups.forced_shutdown) verdict.Add(State::kCritical, "shutting down");
  if (ups.overload) verdict.Add(State::kCritical, "overloaded");
  if (ups.bypass) verdict.Add(State::kWarning, "on bypass: the load is not protected");
  if (ups.replace_battery) verdict.Add(State::kWarning, "the battery must be replaced");
  if (ups.alarm) {
    verdict.Add(State::kWarning, ups.alarm_text.empty()
                                     ? "the UPS has an alarm"
                                     : "the UPS has an alarm: " + ups.alarm_text);
  }
  if (ups.load_percent) {
    const std::string text = "load " + Whole(*ups.load_percent);
    verdict.Judge(levels_.load, std::llround(*ups.load_percent * kPercent), text);
    verdict.Summarise(text);
  }
  AddSamples(ups, answer);
}

void UpsJudge::JudgePower(const UpsReading& ups, Steady now, Verdict& verdict, Answer& answer) {
  const auto runtime = ups.runtime_seconds;
  // A test that somebody started is no power cut, but the battery is being emptied all the same.
  const State worst = ups.calibrating ? State::kWarning : State::kCritical;
  if (ups.low_battery) verdict.Add(worst, "the battery is low");
  if (!ups.on_battery) {
    on_battery_since_.reset();
    verdict.Summarise("on mains");
    if (runtime && !ups.off) {
      const std::string text = "the battery would last " + Minutes(*runtime);
      if (*runtime < static_cast<double>(*levels_.runtime_low_critical_s)) {
        verdict.Add(worst, text);
      } else if (*runtime < static_cast<double>(*levels_.runtime_low_warning_s)) {
        verdict.Add(State::kWarning, text);
      }
      verdict.Summarise(text);
    }
    return;
  }
  if (!on_battery_since_) on_battery_since_ = now;
  double since = std::chrono::duration<double>(now - *on_battery_since_).count();
  if (ups.on_battery_seconds && *ups.on_battery_seconds > since) since = *ups.on_battery_seconds;
  answer.samples.push_back({"ups_on_battery_seconds", RoomLabels(room_), since});
  std::string text =
      (ups.calibrating ? "calibrating on battery for " : "on battery for ") + Minutes(since);
  if (runtime) text += ", " + Minutes(*runtime) + " left";
  State state = levels_.on_battery.Of(std::llround(since * 1000));
  if (state == State::kCritical ||
      (runtime && *runtime < static_cast<double>(levels_.runtime_critical_s))) {
    state = worst;
  }
  if (state == State::kOk) {
    verdict.Summarise(text);
  } else {
    verdict.Add(state, text);
  }
}

void UpsJudge::JudgeCharge(const UpsReading& ups, Steady now, Verdict& verdict) {
  if (!ups.charge_percent) return;
  const std::string text = "charge " + Whole(*ups.charge_percent);
  verdict.Summarise(text);
  const bool low = std::llround(*ups.charge_percent * kPercent) < levels_.charge_low;
  if (!low || ups.on_battery) {
    charge_low_since_.reset();
    return;
  }
  if (!charge_low_since_) charge_low_since_ = now;
  const Steady::duration since = now - *charge_low_since_;
  if (since >= levels_.charge_low_for) {
    verdict.Add(
        State::kWarning,
        text + " after " + Minutes(std::chrono::duration<double>(since).count()) + " on mains");
  }
}

void UpsJudge::AddSamples(const UpsReading& ups, Answer& answer) const {
  const auto add = [&](const char* family, double value) {
    answer.samples.push_back({family, RoomLabels(room_), value});
  };
  const auto maybe = [&](const char* family, const std::optional<double>& value, double scale) {
    if (value) add(family, *value * scale);
  };
  add("ups_on_battery", ups.on_battery ? 1 : 0);
  add("ups_low_battery", ups.low_battery ? 1 : 0);
  add("ups_replace_battery", ups.replace_battery ? 1 : 0);
  maybe("ups_battery_charge_ratio", ups.charge_percent, 0.01);
  maybe("ups_battery_runtime_seconds", ups.runtime_seconds, 1);
  maybe("ups_load_ratio", ups.load_percent, 0.01);
  maybe("ups_temperature_celsius", ups.temperature_celsius, 1);
  maybe("ups_input_volts", ups.input_volts, 1);
}

}  // namespace oppetid::agent
