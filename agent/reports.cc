#include "agent/reports.h"

#include <algorithm>
#include <utility>

#include "agent/report_store.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

// Names of checks and jobs are safe in names of files (IsCheckName).
std::string CheckFile(const std::string& check) { return "check." + check; }
std::string JobFile(const std::string& job) { return "job." + job; }

// The content of a kept file; nullopt when there is none or it cannot be read.
std::optional<std::string> Kept(Disk& disk, const std::vector<std::string>& names,
                                const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  auto content = disk.Read(name);
  if (content.ok()) return *std::move(content);
  LogWarning("cannot read kept reports; they begin anew",
             {{"file", name}, {"error", std::string(content.status().message())}});
  return std::nullopt;
}

void TellDamaged(const std::string& name) {
  LogWarning("kept reports are damaged; they begin anew", {{"file", name}});
}

std::string NotAllowed(uid_t user, const std::string& name) {
  return "user " + std::to_string(user) + " may not report `" + name +
         "`: its check does not name that user in `users`";
}

// A run that was overtaken ends after one that began later; but one that has ended in a time to
// come is of a clock that was set back since, and gives way.
bool IsNewest(const ReportedRun& run, const std::optional<ReportedRun>& last) {
  return !last || run.start >= last->start || run.end < last->end;
}

void Close(RunHistory& history, const ReportedRun& run) {
  history.open.reset();
  if (run.success && IsNewest(run, history.last_success)) history.last_success = run;
  history.runs.push_back(run);
  if (history.runs.size() > kMaxReportedRuns) history.runs.pop_front();
}

void Apply(const JobReport& report, Instant now, RunHistory& history) {
  if (report.event == RunEvent::kStart) {
    if (!history.open) {
      history.overtaken.reset();
    } else {
      // It began anew without having ended: that one has failed.
      if (!history.overtaken) history.overtaken = history.open;
      ReportedRun lost;
      lost.start = std::min(*history.open, now);
      lost.end = now;
      lost.start_known = true;
      Close(history, lost);
    }
    history.open = now;
    return;
  }
  ReportedRun run;
  run.end = now;
  run.success = report.event == RunEvent::kSuccess;
  std::optional<Instant> start = history.open;
  // A failure is news whichever run it is of.
  if (!start && run.success) start = std::exchange(history.overtaken, std::nullopt);
  run.start_known = start && *start <= now;
  run.start = run.start_known ? *start : now;
  run.bytes = report.bytes;
  run.files = report.files;
  run.exit_code = report.exit_code;
  Close(history, run);
}

}  // namespace

void Reports::AddCheck(const std::string& check, std::set<uid_t> users, Millis silent_after) {
  Check& added = checks_[check];
  added.users = std::move(users);
  added.silent_after = silent_after;
}

void Reports::AddJob(const std::string& job, const std::string& check,
                     const std::set<uid_t>& users) {
  Job& added = jobs_[job];
  added.users.insert(users.begin(), users.end());
  added.checks.insert(check);
}

absl::Status Reports::Open(Disk& disk) {
  const auto names = disk.List();
  if (!names.ok()) return names.status();
  disk_ = &disk;
  for (auto& [name, check] : checks_) {
    const auto content = Kept(disk, *names, CheckFile(name));
    if (!content) continue;
    check.newest = ParsePassive(*content);
    if (!check.newest) {
      TellDamaged(CheckFile(name));
      continue;
    }
    // Its age goes on from where it was; of a time to come nothing is known but that it is over.
    const Millis age = clock_.Now() - check.newest->at;
    if (age < Millis(0)) {
      check.newest.reset();
    } else {
      check.newest->heard = clock_.SteadyNow() - age;
    }
  }
  for (auto& [name, job] : jobs_) {
    const auto content = Kept(disk, *names, JobFile(name));
    if (!content) continue;
    auto history = ParseHistory(*content);
    if (!history) {
      TellDamaged(JobFile(name));
      continue;
    }
    job.history = *std::move(history);
  }
  return absl::OkStatus();
}

bool Reports::Spend(Bucket& bucket) const {
  const Steady now = clock_.SteadyNow();
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now - bucket.filled).count();
  if (seconds > 0) {
    bucket.left = static_cast<int>(std::min<int64_t>(kReportBurst, bucket.left + seconds));
    bucket.filled = now;
  }
  if (bucket.left == 0) return false;
  --bucket.left;
  return true;
}

std::string Reports::Take(std::string_view line, uid_t user) {
  ParsedReport parsed = ParseReport(line);
  return FormatReply(parsed.report ? Refusal(*parsed.report, user) : parsed.fault);
}

std::string Reports::Refusal(const Report& report, uid_t user) {
  if (disk_ == nullptr) return "the agent is not ready yet";
  return std::visit([&](const auto& one) { return Accept(one, user); }, report);
}

std::string Reports::Accept(const CheckReport& report, uid_t user) {
  const auto found = checks_.find(report.check);
  if (found == checks_.end()) {
    return "there is no check `" + report.check + "` of the sensor `report` here";
  }
  Check& check = found->second;
  if (!check.users.contains(user)) return NotAllowed(user, report.check);
  if (!Spend(check.bucket)) return "too many reports of `" + report.check + "`: one a second";
  const PassiveReport newest{report.state, report.text, clock_.Now(), clock_.SteadyNow()};
  const auto status = disk_->Replace(CheckFile(report.check), FormatPassive(newest));
  if (!status.ok()) return "cannot keep it: " + std::string(status.message());
  check.newest = newest;
  check.told_silent = false;
  News(report.check);
  return "";
}

std::string Reports::Accept(const JobReport& report, uid_t user) {
  const auto found = jobs_.find(report.job);
  if (found == jobs_.end()) {
    return "there is no check of the sensor `job` for the job `" + report.job + "` here";
  }
  Job& job = found->second;
  if (!job.users.contains(user)) return NotAllowed(user, report.job);
  if (!Spend(job.bucket)) return "too many reports of `" + report.job + "`: one a second";
  JobHistory history = job.history;
  Apply(report, clock_.Now(), history[static_cast<size_t>(report.kind)]);
  const auto status = disk_->Replace(JobFile(report.job), FormatHistory(history));
  if (!status.ok()) return "cannot keep it: " + std::string(status.message());
  job.history = std::move(history);
  for (const std::string& check : job.checks) News(check);
  return "";
}

void Reports::News(const std::string& check) const {
  if (on_news_) on_news_(check);
}

std::optional<Steady> Reports::TellSilent() {
  std::optional<Steady> next;
  for (auto& [name, check] : checks_) {
    if (!check.newest || check.told_silent) continue;
    const Steady silent_at = check.newest->heard + check.silent_after;
    if (silent_at > clock_.SteadyNow()) {
      next = std::min(next.value_or(silent_at), silent_at);
      continue;
    }
    check.told_silent = true;
    News(name);
  }
  return next;
}

const PassiveReport* Reports::Last(const std::string& check) const {
  const auto found = checks_.find(check);
  return found == checks_.end() || !found->second.newest ? nullptr : &*found->second.newest;
}

const PassiveReport* Reports::Newest(const std::string& check) const {
  const PassiveReport* last = Last(check);
  if (last == nullptr) return nullptr;
  const bool silent = clock_.SteadyNow() - last->heard >= checks_.find(check)->second.silent_after;
  return silent ? nullptr : last;
}

const JobHistory& Reports::History(const std::string& job) const {
  static const JobHistory kNone;
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? kNone : found->second.history;
}

}  // namespace oppetid::agent
