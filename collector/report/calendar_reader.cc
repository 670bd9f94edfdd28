// The calendars of catalogue.yaml.
#include <algorithm>
#include <string>

#include "collector/report/catalogue_reader.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

using std::chrono::minutes;

const std::vector<std::string_view> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::string Quote(std::string_view text) { return "`" + OneLine(text, 60) + "`"; }

// "08:00" to "24:00".
std::optional<minutes> ParseTime(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const size_t i : {0, 1, 3, 4}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hour = (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[3] - '0') * 10 + (text[4] - '0');
  if (minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
  return minutes(hour * 60 + minute);
}

std::optional<LocalRange> ParseRange(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto from = ParseTime(text.substr(0, dash)), to = ParseTime(text.substr(dash + 1));
  if (!from || !to || *from >= *to) return std::nullopt;
  return LocalRange{*from, *to};
}

// One range or a list of them.
std::vector<LocalRange> ReadRanges(const Yaml& yaml, Faults& faults) {
  std::vector<LocalRange> out;
  const auto read = [&](const Yaml& its) {
    const auto range = its.kind == Yaml::Kind::kScalar ? ParseRange(its.scalar) : std::nullopt;
    if (range) {
      out.push_back(*range);
    } else {
      faults.Add(its.at, Quote(its.scalar) +
                             " is not a range of a day; allowed: \"HH:MM-HH:MM\" with the start "
                             "before the end, which is at most 24:00");
    }
  };
  if (yaml.kind == Yaml::Kind::kList) {
    for (const Yaml& element : yaml.list) read(element);
  } else {
    read(yaml);
  }
  return out;
}

// "mon", "mon,wed", "mon-fri", "fri-mon" (it wraps); nullopt where it is none of these.
std::optional<std::vector<size_t>> ParseDays(std::string_view text) {
  const auto day = [](std::string_view name) {
    return static_cast<size_t>(std::find(kDays.begin(), kDays.end(), name) - kDays.begin());
  };
  std::vector<size_t> out;
  while (true) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    const size_t dash = part.find('-');
    const size_t first = day(part.substr(0, dash));
    const size_t last = dash == std::string_view::npos ? first : day(part.substr(dash + 1));
    if (first == kDays.size() || last == kDays.size()) return std::nullopt;
    for (size_t i = first;; i = (i + 1) % kDays.size()) {
      if (std::find(out.begin(), out.end(), i) == out.end()) out.push_back(i);
      if (i == last) break;
    }
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

bool IsMap(const Yaml* yaml, const char* key, Faults& faults) {
  if (yaml == nullptr) return false;
  if (yaml->kind == Yaml::Kind::kMap) return true;
  faults.Add(yaml->at, "`" + std::string(key) + "`: expected a mapping (`key: value`)");
  return false;
}

void ReadWeek(const Yaml& yaml, Calendar& calendar, Faults& faults) {
  for (const auto& [days, ranges] : yaml.map) {
    const auto numbers = ParseDays(days);
    if (!numbers) {
      faults.Add(ranges.at, "`hours`: " + Quote(days) +
                                " names no days; allowed: mon tue wed thu fri sat sun, as in mon, "
                                "`mon,wed` or mon-fri");
      continue;
    }
    const std::vector<LocalRange> hours = ReadRanges(ranges, faults);
    for (const size_t number : *numbers) {
      auto& day = calendar.weekly[number];
      day.insert(day.end(), hours.begin(), hours.end());
    }
  }
}

void ReadShortDays(const Yaml& yaml, Calendar& calendar, Faults& faults) {
  for (const auto& [day, value] : yaml.map) {
    const auto closing = value.kind == Yaml::Kind::kScalar ? ParseTime(value.scalar) : std::nullopt;
    if (!closing) {
      faults.Add(value.at, "`short_days`: " + Quote(value.scalar) +
                               " is not a closing time; allowed: \"00:00\" to \"24:00\"");
      continue;
    }
    const auto named = std::find(kNamedDays.begin(), kNamedDays.end(), day);
    if (named != kNamedDays.end()) {
      calendar.short_named[static_cast<NamedDay>(named - kNamedDays.begin())] = *closing;
    } else if (const auto date = ParseDate(day)) {
      calendar.short_dates[*date] = *closing;
    } else {
      const std::vector<std::string_view> names(kNamedDays.begin(), kNamedDays.end());
      faults.Add(value.at, "`short_days`: " + Quote(day) + " is not a day" +
                               DidYouMean(day, names) +
                               "; allowed: easter_wednesday, whitsun_eve, christmas_eve, "
                               "new_years_eve, or a date such as 2026-05-15");
    }
  }
}

void ReadClosed(const Yaml& yaml, Calendar& calendar, Faults& faults) {
  if (yaml.kind != Yaml::Kind::kList) {
    faults.Add(yaml.at, "`closed`: expected a list of dates");
    return;
  }
  for (const Yaml& element : yaml.list) {
    const auto date =
        element.kind == Yaml::Kind::kScalar ? ParseDate(element.scalar) : std::nullopt;
    if (date) {
      calendar.closed.insert(*date);
    } else {
      faults.Add(element.at, "`closed`: " + Quote(element.scalar) +
                                 " is not a date; allowed: dates such as 2026-08-14");
    }
  }
}

void ReadExtra(const Yaml& yaml, Calendar& calendar, Faults& faults) {
  for (const auto& [day, ranges] : yaml.map) {
    const auto date = ParseDate(day);
    if (date) {
      calendar.extra[*date] = ReadRanges(ranges, faults);
    } else {
      faults.Add(ranges.at,
                 "`extra`: " + Quote(day) + " is not a date; allowed: dates such as 2026-09-05");
    }
  }
}

// Weekly hours open in any ordinary week; without them only extra days can.
bool EverOpens(const Calendar& calendar, const Zone& zone) {
  for (const auto& day : calendar.weekly) {
    if (!day.empty()) return true;
  }
  for (const auto& [date, ranges] : calendar.extra) {
    for (const LocalRange& range : ranges) {
      if (zone.First(date + range.from) < zone.Second(date + range.to)) return true;
    }
  }
  return false;
}

}  // namespace

std::optional<LocalDate> ReadDate(YamlMap& map, std::string_view key) {
  const auto text = map.String(key);
  if (!text) return std::nullopt;
  const auto date = ParseDate(*text);
  if (!date) {
    map.Fault(key, "`" + std::string(key) + "`: " + Quote(*text) +
                       " is not a date; allowed: dates such as 2026-02-01");
  }
  return date;
}

Calendar ReadCalendar(const Yaml& yaml, const Zone& zone, Faults& faults) {
  const size_t before = faults.lines().size();
  YamlMap map(yaml, faults);
  Calendar calendar;
  calendar.always = map.Bool("always", false);
  if (const Yaml* its = map.Raw("hours"); IsMap(its, "hours", faults)) {
    ReadWeek(*its, calendar, faults);
  }
  if (map.Has("holidays")) {
    calendar.norwegian_holidays = map.OneOf("holidays", {"norway"}, "") == "norway";
  }
  if (const Yaml* its = map.Raw("short_days"); IsMap(its, "short_days", faults)) {
    ReadShortDays(*its, calendar, faults);
  }
  if (const Yaml* its = map.Raw("closed"); its != nullptr) ReadClosed(*its, calendar, faults);
  if (const Yaml* its = map.Raw("extra"); IsMap(its, "extra", faults)) {
    ReadExtra(*its, calendar, faults);
  }
  map.Finish();
  if (faults.lines().size() != before || yaml.kind != Yaml::Kind::kMap) return calendar;
  if (calendar.always && yaml.map.size() > 1) {
    faults.Add(yaml.at,
               "a calendar that is `always` has no other keys; for one with closed days write "
               "hours: {mon-sun: \"00:00-24:00\"}");
  } else if (!calendar.always && !EverOpens(calendar, zone)) {
    faults.Add(yaml.at, "the calendar never opens; give it `hours`, `extra` days or always: true");
  }
  return calendar;
}

}  // namespace oppetid::collector
