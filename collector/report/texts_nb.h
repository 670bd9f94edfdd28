// The words of a report in bokmål: verdicts, times, durations, percentages.
//
// Pure, safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "collector/report/model.h"

namespace oppetid::collector::nb {

std::string_view VerdictWords(Verdict verdict);
std::string KindWords(const std::string& kind);

// "3. kvartal 2026", "juli 2026", "2026", or the dates as they stand.
std::string PeriodWords(const std::string& label);

// Local time: "3. juli 2026 kl. 12.12.30"; whole minutes without seconds.
std::string TimeWords(Instant at, const Zone& zone);

// "2 d 3 t 4 min 5 s", cut off to seconds; "under 1 s" for less than one.
std::string DurationWords(int64_t ms);

// A share cut off to three decimals. `clean`: nothing at all was down or unknown; without it 100 %
// is never shown, however the figure itself is defined.
std::string ShareWords(int64_t part, int64_t whole, bool clean);

// A target as agreed, without needless zeros: "99,9 %".
std::string TargetWords(Percent target);

}  // namespace oppetid::collector::nb
