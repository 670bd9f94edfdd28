#include "tests/simulation/side_log.h"

#include <algorithm>

namespace oppetid::simulation {
namespace {

void Close(TruthRun* run, uint64_t call) {
  run->open = false;
  run->closed_in = call;
}

}  // namespace

void SideLog::AddCheck(const std::string& name, int confirm, int64_t valid_for) {
  checks[name].confirm = confirm;
  checks[name].valid_for = valid_for;
}

void SideLog::Attempt(const std::string& name, State state, int64_t started, int64_t now,
                      uint64_t call) {
  TruthCheck& check = checks.at(name);
  int64_t since = started;
  if (state == State::kCritical && check.current != State::kCritical) {
    if (!check.failing_since) {
      check.failing_since = started;
      check.rechecks_left = check.confirm;
    } else {
      --check.rechecks_left;
    }
    if (check.rechecks_left > 0) return;
  }
  if (check.failing_since) {
    if (state == State::kCritical || state == State::kUnknown) since = *check.failing_since;
    check.failing_since.reset();
  }
  check.current = state;
  ++observations;
  if (TruthRun* run = check.open()) {
    const int64_t last = std::max(started, run->last);
    const bool silent = last > run->to();
    if (!silent && run->state == state) {
      run->last = last;
      run->seen.emplace_back(now, last);
      run->seen_in = call;
      return;
    }
    since = std::max(since, run->last);
    started = last;
    Close(run, call);
  }
  TruthRun next;
  next.state = state;
  next.since = since;
  next.last = started;
  next.valid_for = check.valid_for;
  next.seen.emplace_back(now, started);
  next.seen_in = call;
  check.runs.push_back(std::move(next));
}

void SideLog::Expire(int64_t wall, uint64_t call) {
  for (auto& [name, check] : checks) {
    TruthRun* run = check.open();
    if (run != nullptr && wall > run->to()) Close(run, call);
  }
}

void SideLog::Step(uint64_t call) {
  for (auto& [name, check] : checks) {
    if (TruthRun* run = check.open()) Close(run, call);
    check.failing_since.reset();
  }
}

void SideLog::Gone() {
  for (auto& [name, check] : checks) {
    if (TruthRun* run = check.open()) run->open = false;
    check.failing_since.reset();
    check.current = State::kUnknown;
  }
}

}  // namespace oppetid::simulation
