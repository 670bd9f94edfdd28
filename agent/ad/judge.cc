#include "agent/ad/judge.h"

#include <algorithm>

#include "agent/ad/judgements.h"

namespace oppetid::agent {
namespace {

std::string Praise(const AdView& view) {
  std::string text = std::to_string(view.controllers.size()) + " controllers up";
  size_t links = 0;
  Millis oldest{0};
  for (const AdControllerView& controller : view.controllers) {
    for (const AdContext& context : controller.links) {
      for (const ReplicationLink& link : context.links) {
        ++links;
        oldest = std::max(oldest, LinkAge(controller, link).value_or(Millis(0)));
      }
    }
  }
  if (links > 0) {
    text += ", " + std::to_string(links) + " links replicated " +
            FormatDuration(std::chrono::floor<std::chrono::seconds>(oldest)) + " ago or less";
  }
  return text;
}

}  // namespace

State OfLimit(int64_t value, const AdLimit& limit) {
  if (limit.critical != 0 && value > limit.critical) return State::kCritical;
  return limit.warning != 0 && value > limit.warning ? State::kWarning : State::kOk;
}

void JudgeLimit(Findings& findings, int64_t value, const AdLimit& limit, const std::string& text) {
  const State state = OfLimit(value, limit);
  if (state != State::kOk) findings.Add(state, text);
}

void JudgeLeft(Findings& findings, int64_t left, const AdLimit& limit, const std::string& text) {
  if (limit.critical != 0 && left <= limit.critical) {
    findings.Add(State::kCritical, text);
  } else if (limit.warning != 0 && left <= limit.warning) {
    findings.Add(State::kWarning, text);
  }
}

std::string Days(Millis time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::days>(time).count()) + " days";
}

AdReport JudgeDomain(const AdOptions& options, const AdView& view, AdMemory& memory) {
  Findings findings;
  JudgeServices(options, view, findings);
  JudgeLogon(view, findings);
  for (const std::string& note : view.notes) findings.Add(State::kUnknown, note);
  JudgeRoles(view, findings);
  JudgeClocks(options, view, findings);
  JudgeCertificates(options, view, findings);
  JudgeOwners(view, findings);
  JudgeListed(options, view, memory, findings);
  JudgeReplication(options, view, findings);
  JudgeNames(view, findings);
  JudgeShares(options, view, memory, findings);
  JudgeAccounts(options, view, findings);
  JudgeDomainAges(options, view, findings);
  AdReport report;
  report.state = findings.WorstState();
  report.text = findings.empty() ? Praise(view) : findings.Text();
  report.series = SeriesOfDomain(options, view);
  return report;
}

}  // namespace oppetid::agent
