#include "agent/sensors/room.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr Millis kRiseWindow = std::chrono::minutes(15);
// What is kept of a temperature for its rise: at most one value in this time, so 31 of them.
constexpr Millis kRiseStep = std::chrono::seconds(30);
constexpr double kMaxShare = 1.1;  // in wet air probes go somewhat beyond all
constexpr double kMaxAmperes = 1000;
// Nothing in a server room is beyond this; a device that says so is mistaken.
constexpr double kMaxValue = 1e9;

struct KindTraits {
  std::string_view family;
  std::string_view word;
};

KindTraits TraitsOf(ReadingKind kind) {
  switch (kind) {
    case ReadingKind::kTemperature:
      return {"room_temperature_celsius", ""};
    case ReadingKind::kHumidity:
      return {"room_humidity_ratio", ""};
    case ReadingKind::kLeak:
      return {"room_water_leak", "water"};
    case ReadingKind::kSmoke:
      return {"room_smoke", "smoke"};
    case ReadingKind::kDoor:
      return {"room_door_open", "open"};
    case ReadingKind::kCurrent:
      return {"pdu_current_amperes", ""};
    case ReadingKind::kPower:
      break;
  }
  return {"pdu_power_watts", ""};
}

std::string Shown(ReadingKind kind, double value) {
  char buffer[48];
  switch (kind) {
    case ReadingKind::kHumidity:
      std::snprintf(buffer, sizeof buffer, "%.0f %%", value * 100);
      break;
    case ReadingKind::kCurrent:
      std::snprintf(buffer, sizeof buffer, "%.1f A", value);
      break;
    case ReadingKind::kPower:
      std::snprintf(buffer, sizeof buffer, "%.0f W", value);
      break;
    default:
      std::snprintf(buffer, sizeof buffer,
                    "%.1f \xC2\xB0"
                    "C",
                    value);
  }
  return buffer;
}

bool IsPossible(ReadingKind kind, double value) {
  if (kind == ReadingKind::kTemperature) return value >= kMinCelsius && value <= kMaxCelsius;
  if (kind == ReadingKind::kHumidity) return value >= 0 && value <= kMaxShare;
  return std::abs(value) <= kMaxValue;
}

int64_t Thousandths(double value) { return std::llround(value * 1000); }

void ReadLimit(YamlMap& map, std::string_view key, double min, double max,
               std::optional<int64_t>& limit) {
  if (const auto value = map.Double(key, min, max)) limit = Thousandths(*value);
}

void ReadShareLimit(YamlMap& map, std::string_view key, std::optional<int64_t>& limit) {
  if (const auto percent = map.PercentOf(key)) limit = percent->millionths / 100'000;
}

void CheckOrder(YamlMap& map, std::string_view name, const Band& band) {
  std::optional<int64_t> last;
  for (const auto& limit : {band.low_critical, band.low_warning, band.warning, band.critical}) {
    if (limit && last && *limit <= *last) {
      map.Fault("", "`" + std::string(name) +
                        "`: expected low_critical < low_warning < warning < critical "
                        "(also with the defaults of those left out)");
      return;
    }
    if (limit) last = limit;
  }
}

void ReadTemperature(YamlMap& config, RoomLevels& levels) {
  // What ASHRAE recommends for server rooms, and what it allows.
  levels.temperature = {10'000, 15'000, 27'000, 32'000, 1'000};
  levels.rise = 5'000;
  auto map = config.Map("temperature");
  if (!map) return;
  ReadLimit(*map, "low_critical", kMinCelsius, kMaxCelsius, levels.temperature.low_critical);
  ReadLimit(*map, "low_warning", kMinCelsius, kMaxCelsius, levels.temperature.low_warning);
  ReadLimit(*map, "warning", kMinCelsius, kMaxCelsius, levels.temperature.warning);
  ReadLimit(*map, "critical", kMinCelsius, kMaxCelsius, levels.temperature.critical);
  ReadLimit(*map, "rise", 0.1, kMaxCelsius, levels.rise);
  CheckOrder(*map, "temperature", levels.temperature);
  map->Finish();
}

void ReadHumidity(YamlMap& config, RoomLevels& levels) {
  levels.humidity = {100, 200, 600, 800, 20};
  auto map = config.Map("humidity");
  if (!map) return;
  ReadShareLimit(*map, "low_critical", levels.humidity.low_critical);
  ReadShareLimit(*map, "low_warning", levels.humidity.low_warning);
  ReadShareLimit(*map, "warning", levels.humidity.warning);
  ReadShareLimit(*map, "critical", levels.humidity.critical);
  CheckOrder(*map, "humidity", levels.humidity);
  map->Finish();
}

State ReadAlarm(YamlMap& config, std::string_view key) {
  return ParseState(config.OneOf(key, {"ok", "warning", "critical"}, "critical"))
      .value_or(State::kCritical);
}

}  // namespace

State Band::Of(int64_t value, State before) const {
  const int64_t to_critical = before == State::kCritical ? margin : 0;
  const int64_t to_warning = before == State::kOk ? 0 : margin;
  if ((critical && value > *critical - to_critical) ||
      (low_critical && value < *low_critical + to_critical)) {
    return State::kCritical;
  }
  if ((warning && value > *warning - to_warning) ||
      (low_warning && value < *low_warning + to_warning)) {
    return State::kWarning;
  }
  return State::kOk;
}

RoomLevels ReadRoomLevels(YamlMap& config) {
  RoomLevels levels;
  ReadTemperature(config, levels);
  ReadHumidity(config, levels);
  levels.leak = ReadAlarm(config, "leak");
  levels.smoke = ReadAlarm(config, "smoke");
  levels.door.warning = Millis(std::chrono::minutes(15)).count();
  if (auto door = config.Map("door")) {
    constexpr Millis kLongest = std::chrono::hours(24 * 31);
    const auto read = [&](std::string_view key, std::optional<int64_t>& level) {
      if (const auto open = door->Duration(key, Millis(0), kLongest)) level = open->count();
    };
    read("warning", levels.door.warning);
    read("critical", levels.door.critical);
    CheckOrder(*door, "door", levels.door);
    door->Finish();
  }
  if (const auto breaker = config.Double("breaker", 0.1, kMaxAmperes)) {
    levels.current.warning = Thousandths(*breaker * 0.8);
    levels.current.critical = Thousandths(*breaker * 0.9);
    levels.current.margin = Thousandths(*breaker * 0.02);
  }
  return levels;
}

std::string ReadRoom(YamlMap& config) {
  std::string room = config.String("room", "");
  if (!room.empty() && !IsId(room)) {
    config.Fault("room", "`room`: 1 to 63 of [a-z0-9.-], first and last a letter or digit");
  }
  return room;
}

Labels RoomLabels(const std::string& room, const std::string& sensor) {
  Labels labels;
  if (!room.empty()) labels.emplace_back("room", room);
  if (!sensor.empty()) labels.emplace_back("sensor", sensor);
  return labels;
}

void RoomJudge::Judge(std::vector<Reading> readings, Steady now, Verdict& verdict, Answer& answer) {
  if (readings.size() > kMaxReadings) {
    verdict.Add(State::kUnknown,
                "more than " + std::to_string(kMaxReadings) + " readings; choose with `only`");
    readings.resize(kMaxReadings);
  }
  std::map<Key, Track> tracks;
  for (Reading& reading : readings) {
    const std::string name = reading.name;
    for (int twin = 2; tracks.contains({reading.kind, reading.name}); ++twin) {
      reading.name = name + " (" + std::to_string(twin) + ")";
    }
    const Key key{reading.kind, reading.name};
    Track& track = tracks[key];
    if (const auto known = tracks_.find(key); known != tracks_.end()) {
      track = std::move(known->second);
    }
    if (!reading.value || !IsPossible(reading.kind, *reading.value)) {
      verdict.Add(State::kUnknown, reading.name + " gives no value");
      continue;
    }
    JudgeOne(reading, now, track, verdict);
    answer.samples.push_back({std::string(TraitsOf(reading.kind).family),
                              RoomLabels(room_, reading.name), *reading.value});
  }
  // A probe that was pulled out is often left out by its device: nobody looks there any more.
  for (auto& [key, track] : tracks_) {
    if (tracks.size() >= kMaxReadings || tracks.contains(key)) continue;
    verdict.Add(State::kUnknown, key.second + " is no longer there");
    tracks.emplace(key, std::move(track));
  }
  tracks_ = std::move(tracks);
}

void RoomJudge::JudgeOne(const Reading& reading, Steady now, Track& track, Verdict& verdict) {
  const int64_t value = Thousandths(*reading.value);
  const Band* band = nullptr;
  switch (reading.kind) {
    case ReadingKind::kTemperature:
      JudgeRise(reading, value, now, track, verdict);
      band = &levels_.temperature;
      break;
    case ReadingKind::kHumidity:
      band = &levels_.humidity;
      break;
    case ReadingKind::kCurrent:
      band = &levels_.current;
      break;
    case ReadingKind::kPower:
      break;
    case ReadingKind::kLeak:
    case ReadingKind::kSmoke:
      if (value != 0) {
        const State state = reading.kind == ReadingKind::kLeak ? levels_.leak : levels_.smoke;
        verdict.Add(state, std::string(TraitsOf(reading.kind).word) + ": " + reading.name);
      } else {
        verdict.Summarise("no " + std::string(TraitsOf(reading.kind).word) + ": " + reading.name);
      }
      return;
    case ReadingKind::kDoor:
      JudgeDoor(reading, value != 0, now, track, verdict);
      return;
  }
  const std::string text = reading.name + " " + Shown(reading.kind, *reading.value);
  track.state = band == nullptr ? State::kOk : band->Of(value, track.state);
  if (track.state == State::kOk) {
    verdict.Summarise(text);
  } else {
    verdict.Add(track.state, text);
  }
}

void RoomJudge::JudgeRise(const Reading& reading, int64_t value, Steady now, Track& track,
                          Verdict& verdict) {
  auto& history = track.history;
  while (!history.empty() && now - history.front().first > kRiseWindow) history.pop_front();
  if (history.empty() || now - history.back().first >= kRiseStep) history.emplace_back(now, value);
  const auto lowest =
      std::min_element(history.begin(), history.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const int64_t rise = value - lowest->second;
  if (levels_.rise && rise > *levels_.rise) {
    verdict.Add(State::kWarning, reading.name + " rose " +
                                     Shown(reading.kind, static_cast<double>(rise) / 1000) +
                                     " in 15 min");
  }
}

void RoomJudge::JudgeDoor(const Reading& reading, bool open, Steady now, Track& track,
                          Verdict& verdict) {
  if (!open) {
    track.open_since.reset();
    verdict.Summarise(reading.name + " shut");
    return;
  }
  if (!track.open_since) track.open_since = now;
  const auto since = std::chrono::duration_cast<Millis>(now - *track.open_since);
  const std::string text =
      reading.name + " open for " +
      std::to_string(std::chrono::duration_cast<std::chrono::minutes>(since).count()) + " min";
  const State state = levels_.door.Of(since.count());
  if (state == State::kOk) {
    verdict.Summarise(text);
  } else {
    verdict.Add(state, text);
  }
}

}  // namespace oppetid::agent
