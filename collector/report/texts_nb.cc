#include "collector/report/texts_nb.h"

#include <array>
#include <cstdio>

namespace oppetid::collector::nb {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "januar", "februar", "mars",      "april",   "mai",      "juni",
    "juli",   "august",  "september", "oktober", "november", "desember"};

}  // namespace

std::string_view VerdictWords(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet:
      return "Oppfylt";
    case Verdict::kBreached:
      return "Ikke oppfylt";
    case Verdict::kUndetermined:
      return "Kan ikke avgjøres: for mye er ukjent";
    case Verdict::kNotMeasured:
      return "Ikke målt";
    case Verdict::kNotApplicable:
      break;
  }
  return "Ikke aktuelt: ingen tjenestetid";
}

std::string KindWords(const std::string& kind) {
  if (kind == "incident") return "Hendelse";
  if (kind == "request") return "Forespørsel";
  if (kind == "problem") return "Problem";
  return kind == "change" ? "Endring" : kind;
}

std::string PeriodWords(const std::string& label) {
  const std::string year = label.substr(0, 4);
  if (label.size() == 7 && label[5] == 'Q') return label.substr(6) + ". kvartal " + year;
  if (label.size() == 7 && label[4] == '-') {
    const int month = (label[5] - '0') * 10 + (label[6] - '0');
    return std::string(kMonths[static_cast<size_t>(month - 1)]) + " " + year;
  }
  const size_t dots = label.find("..");
  if (dots == std::string::npos) return label;
  return label.substr(0, dots) + " til " + label.substr(dots + 2) + " (siste dag ikke medregnet)";
}

std::string TimeWords(Instant at, const Zone& zone) {
  const LocalTime local = zone.LocalOf(at);
  const LocalDate date = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day day(date);
  const std::chrono::hh_mm_ss time(local - date);
  std::array<char, 32> clock{};
  std::snprintf(clock.data(), clock.size(),
                time.seconds().count() == 0 ? "%02d.%02d" : "%02d.%02d.%02d",
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return std::to_string(static_cast<unsigned>(day.day())) + ". " +
         std::string(kMonths[static_cast<unsigned>(day.month()) - 1]) + " " +
         std::to_string(static_cast<int>(day.year())) + " kl. " + clock.data();
}

std::string DurationWords(int64_t ms) {
  struct Unit {
    int64_t ms;
    const char* name;
  };
  if (ms == 0) return "0 s";
  if (ms < 1'000) return "under 1 s";
  std::string out;
  for (const Unit& unit :
       {Unit{86'400'000, "d"}, Unit{3'600'000, "t"}, Unit{60'000, "min"}, Unit{1'000, "s"}}) {
    if (ms >= unit.ms) {
      if (!out.empty()) out += ' ';
      out += std::to_string(ms / unit.ms) + " " + unit.name;
    }
    ms %= unit.ms;
  }
  return out;
}

std::string ShareWords(int64_t part, int64_t whole, bool clean) {
  if (whole == 0) return "–";
  if (part == whole && !clean) return "99,999 %";
  return CutOffPercent(part, whole, 3, ",") + " %";
}

std::string TargetWords(Percent target) {
  std::string text = CutOffPercent(target.millionths, 100'000'000, 6, ",");
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with(',')) text.pop_back();
  return text + " %";
}

}  // namespace oppetid::collector::nb
