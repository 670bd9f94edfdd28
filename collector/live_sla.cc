#include "collector/live_sla.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"
#include "collector/dictionary.h"
#include "collector/exposition.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

// Facts that are learnt later than this after they happened make the settled part be computed anew;
// most come within seconds, and those of a network that was away for moments within this.
constexpr Millis kSettleBehind{15 * 60'000};
// Computing a quarter anew takes about a second of a pool's thread; late facts may come in a
// stream.
constexpr Millis kSettleNotBefore{60'000};
// Older figures than this, with no way to compute them anew, are left out.
constexpr Millis kMislead{2 * 3'600'000};

constexpr std::array<const char*, 4> kStates = {"up", "down", "unknown", "excluded"};
constexpr std::array<Verdict, 5> kVerdicts = {Verdict::kMet, Verdict::kBreached,
                                              Verdict::kUndetermined, Verdict::kNotMeasured,
                                              Verdict::kNotApplicable};

absl::StatusOr<SpansByCheck> ReadSpans(const Ledger& ledger, Instant from, Instant to) {
  auto reader = ledger.OpenReader();
  if (!reader.ok()) return reader.status();
  SpansByCheck spans;
  const absl::Status status = (*reader)->ForEachSpan(from, to, [&](const StoredSpan& span) {
    spans[span.host + "/" + span.check].push_back(
        {span.from, span.to, span.recorded_at, span.state});
  });
  if (!status.ok()) return status;
  return spans;
}

// One family: its heading, then its samples.
class Family {
 public:
  Family(const char* name, const char* help, std::string* out) : name_(name), out_(out) {
    absl::StrAppend(out_, "# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n");
  }
  // `labels` beyond service and municipality, each as `,name="value"`.
  void Add(const LiveRow& row, const std::string& labels, double value) {
    absl::StrAppend(out_, name_, "{municipality=\"", EscapeLabelValue(row.municipality),
                    "\",service=\"", EscapeLabelValue(row.service->id), "\"", labels, "} ");
    AppendValue(value, out_);
    *out_ += '\n';
  }

 private:
  const char* name_;
  std::string* out_;
};

std::string Label(const char* name, std::string_view value) {
  return absl::StrCat(",", name, "=\"", std::string(value), "\"");
}

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000.0; }

// Calls f(row, window index, its label) for the rows of `reach`.
template <class F>
void ForEachWindow(const std::vector<LiveRow>& rows, const Reach& reach, F f) {
  for (const LiveRow& row : rows) {
    if (!reach.Covers(row.municipality)) continue;
    for (size_t i = 0; i < kLiveWindows.size(); ++i) f(row, i, Label("window", kLiveWindows[i]));
  }
}

void RenderStates(const std::vector<LiveRow>& rows, const Reach& reach, std::string* out) {
  Family states("oppetid_service_state", "1 for the state that the service is in.", out);
  for (const LiveRow& row : rows) {
    if (!reach.Covers(row.municipality)) continue;
    for (size_t i = 0; i < kStates.size(); ++i) {
      states.Add(row, Label("state", kStates[i]), static_cast<size_t>(row.state) == i ? 1 : 0);
    }
  }
}

void RenderRatios(const std::vector<LiveRow>& rows, const Reach& reach, std::string* out) {
  Family ratios("oppetid_sla_availability_ratio",
                "Availability so far: the truth lies between lowest and highest.", out);
  ForEachWindow(rows, reach, [&](const LiveRow& row, size_t i, const std::string& window) {
    const Measured& its = row.windows[i].measured();
    const auto add = [&](const char* bound, int64_t part, int64_t whole) {
      if (whole == 0) return;
      ratios.Add(row, Label("bound", bound) + window,
                 static_cast<double>(part) / static_cast<double>(whole));
    };
    add("lowest", its.up_ms, its.service_time_ms());
    add("highest", its.up_ms + its.unknown_ms, its.service_time_ms());
    add("measured", its.up_ms, its.up_ms + its.down_ms);
  });
}

// The share as a ratio; parts per hundred million, see Percent.
double Ratio(Percent target) { return static_cast<double>(target.millionths) / 100'000'000.0; }

void RenderBudgets(const std::vector<LiveRow>& rows, const Reach& reach, std::string* out) {
  Family targets("oppetid_sla_target_ratio", "The availability that was agreed.", out);
  for (const LiveRow& row : rows) {
    if (reach.Covers(row.municipality)) targets.Add(row, "", Ratio(row.service->target));
  }
  Family budgets("oppetid_sla_error_budget_remaining_ratio",
                 "What is left of the down time that the target allows; below 0 when overspent.",
                 out);
  ForEachWindow(rows, reach, [&](const LiveRow& row, size_t i, const std::string& window) {
    const Measured& its = row.windows[i].measured();
    const double budget =
        (1 - Ratio(row.service->target)) * static_cast<double>(its.service_time_ms());
    // A target of 100 % allows nothing, of which nothing is left.
    if (budget > 0) budgets.Add(row, window, 1 - static_cast<double>(its.down_ms) / budget);
  });
}

// What is held back, so that alerts can leave it out.
void RenderMaintenance(const View& view, const std::map<std::string, bool>& checks,
                       const Reach& reach, std::string* out) {
  std::string held_checks, held_agents;
  for (const auto& agent : view.agents) {
    if (!reach.Covers(agent->municipality)) continue;
    const std::string labels =
        absl::StrCat("{municipality=\"", agent->municipality, "\",host=\"", agent->host, "\"");
    size_t named = 0, held = 0;
    for (const CheckView& check : agent->checks) {
      const auto found = checks.find(agent->host + "/" + check.check);
      if (found == checks.end()) continue;
      ++named;
      if (!found->second) continue;
      ++held;
      absl::StrAppend(&held_checks, "oppetid_check_maintenance", labels, ",check=\"", check.check,
                      "\"} 1\n");
    }
    if (held > 0 && held == named) {
      absl::StrAppend(&held_agents, "oppetid_agent_maintenance", labels, "} 1\n");
    }
  }
  absl::StrAppend(
      out, "# HELP oppetid_agent_maintenance 1 while announced maintenance covers every ",
      "check of this host that a service names.\n", "# TYPE oppetid_agent_maintenance gauge\n",
      held_agents, "# HELP oppetid_check_maintenance 1 while announced maintenance covers every ",
      "service that names this check.\n", "# TYPE oppetid_check_maintenance gauge\n", held_checks);
}

}  // namespace

absl::StatusOr<LiveSla::Read> LiveSla::ReadAndSettle(const Ledger& ledger, Agreed agreed,
                                                     Instant now) {
  const Instant at = now - kSettleBehind;
  const auto starts = WindowStarts(now, agreed.catalogue->zone);
  auto spans =
      ReadSpans(ledger, std::min(at, *std::min_element(starts.begin(), starts.end())), kForever);
  if (!spans.ok()) return spans.status();
  auto reader = ledger.OpenReader();
  if (!reader.ok()) return reader.status();
  Read read;
  const absl::Status status = (*reader)->ForEachBackupRun([&](const StoredBackupRun& run) {
    read.backups[run.host + "/" + run.job].push_back(
        {run.start, run.end, run.recorded_at, run.restore_test, run.success});
  });
  if (!status.ok()) return status;
  read.settled =
      Settle(std::move(agreed.catalogue), std::move(agreed.decisions), *std::move(spans), at, now);
  return read;
}

// Compliance with the recovery point objective, this quarter so far, of what is known.
void LiveSla::RenderBackups(Instant now, const Reach& reach, std::string* out) const {
  absl::StrAppend(out, "# HELP backup_rpo_compliance_ratio Share of this quarter's known time in ",
                  "which the newest backup was young enough.\n",
                  "# TYPE backup_rpo_compliance_ratio gauge\n");
  const Interval quarter{settled_->starts.back(), now};
  for (const BackupJob& job : settled_->catalogue->backups) {
    const auto runs = backups_.find(job.job);
    if (runs == backups_.end() || quarter.from >= quarter.to) continue;
    const BackupFigures figures =
        Compliance(Successes(runs->second, false, std::nullopt), job.rpo, job.target, quarter);
    const int64_t known = figures.within_ms + figures.over_ms;
    if (known == 0) continue;
    for (const std::string& municipality : job.municipalities) {
      if (!reach.Covers(municipality)) continue;
      absl::StrAppend(out, "backup_rpo_compliance_ratio{municipality=\"",
                      EscapeLabelValue(municipality), "\",job=\"", EscapeLabelValue(job.job),
                      "\"} ");
      AppendValue(static_cast<double>(figures.within_ms) / static_cast<double>(known), out);
      *out += '\n';
    }
  }
}

LiveSla::LiveSla(const Ledger& ledger, const Clock& clock, BlockingPool& pool,
                 boost::asio::any_io_executor executor, GetAgreed agreed)
    : ledger_(ledger),
      clock_(clock),
      pool_(pool),
      executor_(std::move(executor)),
      agreed_(std::move(agreed)) {}

void LiveSla::OnStored(const Batch& batch) {
  for (const RunWrite& run : batch.runs) {
    Learn(run.host + "/" + run.check, {run.since, run.to, run.since, run.state});
  }
  for (const GapWrite& gap : batch.gaps) {
    Learn(gap.host + "/" + gap.check, {gap.from, gap.to, gap.from, State::kUnknown});
  }
  for (const BackupRunWrite& run : batch.backups) {
    const BackupRun its{run.start, run.end, run.end, run.restore_test, run.success};
    backups_[run.host + "/" + run.job].push_back(its);
    if (settling_) arrived_backups_[run.host + "/" + run.job].push_back(its);
  }
  for (const AgentRow& agent : batch.agents) {
    for (const StoredOpenRun& run : agent.runs) {
      Learn(agent.host + "/" + run.check,
            {run.since, run.last + run.valid_for, run.since, run.state});
    }
  }
}

void LiveSla::Learn(const std::string& check, const Span& span) {
  // One run is told again and again as it grows: its longest form is kept.
  const auto add = [&](SpansByCheck* to) {
    auto& spans = (*to)[check];
    for (Span& known : spans) {
      if (known.from != span.from || known.state != span.state) continue;
      known.to = std::max(known.to, span.to);
      return;
    }
    spans.push_back(span);
  };
  if (settling_) add(&arrived_);
  if (!settled_) return;
  if (LeavesSettled(*settled_, check, span)) {
    add(&tail_);
  } else {
    stale_ = true;
  }
}

void LiveSla::Tick() {
  const Steady now = clock_.SteadyNow();
  const bool hour_passed =
      settled_ && std::chrono::floor<std::chrono::hours>(clock_.Now()) !=
                      std::chrono::floor<std::chrono::hours>(settled_->at + kSettleBehind);
  if (settling_ || now < next_try_ || (!stale_ && !hour_passed)) return;
  Agreed agreed = agreed_();
  if (agreed.catalogue == nullptr) return;
  stale_ = false;
  settling_ = true;
  arrived_.clear();
  arrived_backups_.clear();
  next_try_ = now + kSettleNotBefore;
  pool_.Post([this, agreed = std::move(agreed), at = clock_.Now()]() mutable {
    auto read =
        std::make_shared<absl::StatusOr<Read>>(ReadAndSettle(ledger_, std::move(agreed), at));
    boost::asio::post(executor_, [this, read] { OnSettled(std::move(*read)); });
  });
}

void LiveSla::OnSettled(absl::StatusOr<Read> read) {
  settling_ = false;
  if (!read.ok()) {
    stale_ = true;
    if (!failed_) {
      LogWarning("the agreements' figures cannot be computed from the ledger",
                 {{"error", std::string(read.status().message())}});
    }
    failed_ = true;
    return;
  }
  failed_ = false;
  settled_ = std::move(read->settled);
  backups_ = std::move(read->backups);
  for (auto& [job, runs] : std::exchange(arrived_backups_, {})) {
    auto& known = backups_[job];
    known.insert(known.end(), runs.begin(), runs.end());
  }
  settled_at_ = clock_.SteadyNow();
  tail_ = settled_->tail;
  rows_.clear();
  rows_at_ = {};
  for (const auto& [check, spans] : std::exchange(arrived_, {})) {
    for (const Span& span : spans) Learn(check, span);
  }
}

const std::vector<LiveRow>& LiveSla::Rows(const View& view) {
  if (rows_at_ == view.at && !rows_.empty()) return rows_;
  SpansByCheck tail = tail_;
  // What memory knows of runs beyond the ledger.
  for (const auto& agent : view.agents) {
    for (const CheckView& check : agent->checks) {
      if (!check.run_since || !check.valid_until) continue;
      const Span span{*check.run_since, *check.valid_until, *check.run_since, check.run_state};
      const std::string name = agent->host + "/" + check.check;
      if (LeavesSettled(*settled_, name, span)) tail[name].push_back(span);
    }
  }
  rows_ = LiveFigures(*settled_, std::move(tail), std::max(view.at, settled_->at));
  rows_at_ = view.at;
  return rows_;
}

std::string LiveSla::Render(const View& view, const Reach& reach) {
  std::string out;
  const Agreed agreed = agreed_();
  if (agreed.catalogue == nullptr) return out;
  RenderMaintenance(view, ChecksInMaintenance(*agreed.catalogue, agreed.decisions, view.at), reach,
                    &out);
  if (!settled_ || clock_.SteadyNow() - settled_at_ > kMislead) return out;
  const std::vector<LiveRow>& rows = Rows(view);
  RenderStates(rows, reach, &out);
  RenderBackups(view.at, reach, &out);
  Family seconds("oppetid_sla_seconds", "Agreed time so far, by class.", &out);
  ForEachWindow(rows, reach, [&](const LiveRow& row, size_t i, const std::string& window) {
    const Tally& its = row.windows[i];
    seconds.Add(row, Label("class", "up") + window, Seconds(its.measured().up_ms));
    seconds.Add(row, Label("class", "down") + window, Seconds(its.measured().down_ms));
    seconds.Add(row, Label("class", "unknown") + window, Seconds(its.measured().unknown_ms));
    seconds.Add(row, Label("class", "excluded") + window, Seconds(its.excluded_ms()));
  });
  RenderRatios(rows, reach, &out);
  RenderBudgets(rows, reach, &out);
  Family verdicts("oppetid_sla_verdict", "1 for what can be said of the agreement so far.", &out);
  ForEachWindow(rows, reach, [&](const LiveRow& row, size_t i, const std::string& window) {
    for (const Verdict verdict : kVerdicts) {
      verdicts.Add(row, Label("verdict", VerdictName(verdict)) + window,
                   row.verdicts[i] == verdict ? 1 : 0);
    }
  });
  return out;
}

}  // namespace oppetid::collector
