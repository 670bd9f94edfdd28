#include "collector/account/history.h"

#include <algorithm>
#include <set>
#include <utility>

#include "collector/account/agreements.h"
#include "collector/account/fact_lines.h"
#include "collector/account/horizon.h"

namespace oppetid::collector {
namespace {

constexpr size_t kPieceBytes = 200'000;  // of text, before the next is asked for

Span ToSpan(const StoredSpan& span) { return {span.from, span.to, span.recorded_at, span.state}; }

Instant LastInstant(Interval period) { return std::max(period.from, period.to - Millis(1)); }

// Those that can decide the state at the period's first and last instant: the last to begin by
// then.
std::vector<Span> AtBounds(const std::vector<StoredSpan>& spans, Interval period) {
  std::vector<Span> out;
  for (const Instant bound : {period.from, LastInstant(period)}) {
    auto end = std::upper_bound(spans.begin(), spans.end(), bound,
                                [](Instant at, const StoredSpan& its) { return at < its.from; });
    for (auto it = end; it != spans.begin() && std::prev(it)->from == std::prev(end)->from; --it) {
      out.push_back(ToSpan(*std::prev(it)));
    }
  }
  return out;
}

// Those that touch `window`, and all that begin after the first of them, up to its end: among
// these is the one that decides at every instant of the window, and every one that ends it.
void CutTo(Interval window, std::vector<StoredSpan>& spans) {
  const auto first = std::find_if(spans.begin(), spans.end(),
                                  [&](const StoredSpan& its) { return its.to > window.from; });
  spans.erase(spans.begin(), first);
  std::erase_if(spans, [&](const StoredSpan& its) { return its.from >= window.to; });
}

}  // namespace

absl::StatusOr<History> History::Read(LedgerReader& reader, const Catalogue* catalogue,
                                      Interval period, Instant now) {
  History history(period);
  if (auto status = reader.Freeze(); !status.ok()) return status;
  Agreements agreements;
  if (auto status = TellAll(reader, agreements); !status.ok()) return status;
  const Facts& decisions = agreements.decisions();
  if (auto status = history.ReadSpans(reader, catalogue, decisions, now); !status.ok()) {
    return status;
  }
  history.KeepDecisions(decisions);
  if (auto status = history.ReadBackups(reader); !status.ok()) return status;
  return history;
}

absl::Status History::ReadSpans(LedgerReader& reader, const Catalogue* catalogue,
                                const Facts& decisions, Instant now) {
  Spans* of_check = nullptr;
  const auto status = reader.ForEachSpan(period_.from, period_.to, [&](const StoredSpan& span) {
    if (of_check == nullptr || of_check->back().check != span.check ||
        of_check->back().host != span.host) {
      of_check = &spans_[span.host + "/" + span.check];
    }
    of_check->push_back(span);
  });
  if (!status.ok()) return status;
  reach_ = period_;
  if (catalogue != nullptr) {
    return Extend(reader, *catalogue, decisions, now > period_.to);
  }
  return absl::OkStatus();
}

absl::Status History::Extend(LedgerReader& reader, const Catalogue& catalogue,
                             const Facts& decisions, bool look_on) {
  struct Reaching {
    std::string service, municipality;
    bool back, on;
  };
  Facts at_bounds = decisions;
  for (const auto& [check, spans] : spans_) at_bounds.spans[check] = AtBounds(spans, period_);
  CertainStates bounds(catalogue, at_bounds, period_.from);
  const Instant last = LastInstant(period_);
  std::vector<Reaching> reaching;
  std::set<std::string> checks;
  for (const Service& service : catalogue.services) {
    for (const ServiceMember& member : service.members) {
      const Steps<Truth> state = bounds.Of(service.id, member.municipality);
      const bool back = LastUp(state, period_.from) != period_.from;
      const bool on = look_on && FirstUp(state, last) != last;
      if (!back && !on) continue;
      reaching.push_back({service.id, member.municipality, back, on});
      for (std::string& check : ChecksOf(catalogue, service.id, member.municipality)) {
        checks.insert(std::move(check));
      }
    }
  }
  // All that was ever known of these checks, since how far back is not known yet.
  std::map<std::string, Spans> whole;
  Facts facts = decisions;
  for (const std::string& check : checks) {
    const size_t slash = check.find('/');
    Spans& spans = whole[check];
    const auto status = reader.ForEachSpanOf(check.substr(0, slash), check.substr(slash + 1),
                                             [&](const StoredSpan& its) { spans.push_back(its); });
    if (!status.ok()) return status;
    std::transform(spans.begin(), spans.end(), std::back_inserter(facts.spans[check]), ToSpan);
  }
  CertainStates states(catalogue, facts, period_.from);
  std::map<std::string, Interval> windows;
  for (const Reaching& its : reaching) {
    const Steps<Truth> state = states.Of(its.service, its.municipality);
    Interval window = period_;
    if (its.back) window.from = LastUp(state, period_.from);
    if (its.on) window.to = std::min(FirstUp(state, last), kForever - Millis(1)) + Millis(1);
    reach_ = {std::min(reach_.from, window.from), std::max(reach_.to, window.to)};
    for (const std::string& check : ChecksOf(catalogue, its.service, its.municipality)) {
      Interval& of_check = windows.try_emplace(check, window).first->second;
      of_check = {std::min(of_check.from, window.from), std::max(of_check.to, window.to)};
    }
  }
  for (const auto& [check, window] : windows) {
    if (!whole[check].empty()) spans_[check] = std::move(whole[check]);
  }
  for (auto& [check, spans] : spans_) {
    const auto window = windows.find(check);
    CutTo(window == windows.end() ? period_ : window->second, spans);
  }
  return absl::OkStatus();
}

void History::KeepDecisions(const Facts& decisions) {
  const auto touches = [&](const auto& fact) {
    return fact.when.from < reach_.to && fact.when.to > reach_.from;
  };
  std::set<std::string> kept;
  for (const auto& [id, window] : decisions.maintenance) {
    if (touches(window) && kept.insert(id).second) tail_ += MaintenanceJson(window);
  }
  for (const auto& [id, correction] : decisions.corrections) {
    if (touches(correction) && kept.insert(id).second) tail_ += CorrectionJson(correction);
  }
  for (const Revocation& revocation : decisions.revocations) {
    if (kept.contains(revocation.revokes)) tail_ += RevocationJson(revocation);
  }
}

absl::Status History::ReadBackups(LedgerReader& reader) {
  std::vector<StoredBackupRun> runs;  // of one job and kind
  const auto status = reader.ForEachBackupRun([&](const StoredBackupRun& run) {
    if (!runs.empty() && (runs.back().host != run.host || runs.back().job != run.job ||
                          runs.back().restore_test != run.restore_test)) {
      KeepBackups(runs);
      runs.clear();
    }
    runs.push_back(run);
  });
  KeepBackups(runs);
  return status;
}

void History::KeepBackups(const std::vector<StoredBackupRun>& runs) {
  // The newest successful one before the period that was known before it, too; from there on
  // nothing before it counts, whatever the instant everything is known at.
  const StoredBackupRun* newest = nullptr;
  const StoredBackupRun* first = nullptr;
  for (const StoredBackupRun& run : runs) {
    if (!run.success) continue;
    if (first == nullptr || run.end < first->end) first = &run;
    if (run.end <= period_.from && run.recorded_at <= period_.from) newest = &run;
  }
  for (const StoredBackupRun& run : runs) {
    const bool recent = newest == nullptr || run.start >= newest->start;
    if (&run == first || (recent && run.start < period_.to)) tail_ += BackupRunJson(run);
  }
}

bool History::Next(std::string* out) {
  if (ended_) return false;
  while (!spans_.empty() && out->size() < kPieceBytes) {
    for (const StoredSpan& span : spans_.begin()->second) *out += SpanJson(span);
    spans_.erase(spans_.begin());
  }
  if (spans_.empty()) {
    *out += std::exchange(tail_, "");
    ended_ = true;
  }
  return true;
}

}  // namespace oppetid::collector
