// oppetid-ad-probe: one look at an Active Directory domain, as a monitoring plugin would do it: the
// exit code is the state, the first line the text, and the series follow in the Prometheus format.
//
// A program of its own, because libldap, Kerberos and Samba's libraries block, keep what they take
// and read their settings from the environment: the agent stays small, and a deadline is a signal.
// The sensor active_directory starts it; people may too.
#include <stdlib.h>
#include <sys/file.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <span>

#include "agent/ad/judge.h"
#include "agent/ad/logon.h"
#include "agent/ad/look.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr int kBadUsage = 64;  // none of the four states
constexpr size_t kMaxMemoryBytes = 64'000;

std::string Save(const std::string& file, const AdMemory& memory) {
  const auto written = ReplaceFile(file, FormatAdMemory(memory));
  return written.ok() ? "" : "cannot " + std::string(written.message());
}

int Say(const AdReport& report) {
  std::cout << report.text << "\n" << report.series << std::flush;
  return static_cast<int>(report.state);
}

// Waits for the lock, at most until the deadline: then a signal ends the wait. It comes again and
// again, since the first may come before the wait.
bool Lock(FILE* file, AdDeadline until) {
  struct sigaction ring {};
  ring.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &ring, nullptr);
  sigset_t heard;
  ::sigemptyset(&heard);
  ::sigaddset(&heard, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &heard, nullptr);
  const int left = std::max(1, MillisLeft(until));
  const itimerval timer{{0, 100'000}, {left / 1000, left % 1000 * 1000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  int locked = 0;
  do {
    locked = ::flock(::fileno(file), LOCK_EX);
  } while (locked != 0 && errno == EINTR && MillisLeft(until) > 0);
  const itimerval none{};
  ::setitimer(ITIMER_REAL, &none, nullptr);
  return locked == 0;
}

int Look(AdOptions options) {
  // Two looks at once could each spend a logon: the second waits, in its own time.
  const AdDeadline until = Within(std::chrono::milliseconds(options.budget_ms));
  FILE* lock = nullptr;
  AdMemory memory;
  std::string before;
  if (!options.memory.empty()) {
    lock = std::fopen((options.memory + ".lock").c_str(), "we");
    if (lock == nullptr || !Lock(lock, until)) {
      const char* why = lock == nullptr ? "" : ": another look at the domain has it";
      return Say({State::kUnknown, OneLine("cannot lock " + options.memory + ".lock" + why), ""});
    }
    options.budget_ms = std::max(1, MillisLeft(until));
    auto text = ReadFile(options.memory, kMaxMemoryBytes);
    // What cannot be read may hold a refusal.
    if (!text.ok() && !absl::IsNotFound(text.status())) {
      return Say({State::kUnknown, OneLine("cannot " + std::string(text.status().message())), ""});
    }
    if (text.ok()) before = std::move(*text);
    memory = ParseAdMemory(before);
  }
  if (!options.keytab.empty()) {
    ::setenv("KRB5_CONFIG", (options.memory + kAdKerberosSettings).c_str(), 1);
    ::setenv("KRB5CCNAME", ("FILE:" + options.memory + kAdTicket).c_str(), 1);
  }
  const SystemClock clock;
  const auto save = [&options](const AdMemory& now) {
    return options.memory.empty() ? "no place for it" : Save(options.memory, now);
  };
  AdView view = LookAtDomain(options, clock, memory, save);
  AdReport report = JudgeDomain(options, view, memory);
  if (!options.memory.empty() && FormatAdMemory(memory) != before) {
    const std::string unsaved = save(memory);
    if (!unsaved.empty() && report.state == State::kOk) report = {State::kUnknown, unsaved, ""};
  }
  // A ticket is not left lying about; each look gets its own.
  if (!options.keytab.empty()) std::remove((options.memory + kAdTicket).c_str());
  if (lock != nullptr) std::fclose(lock);
  return Say(report);
}

}  // namespace
}  // namespace oppetid::agent

int main(int argc, char** argv) {
  // Neither the user's settings nor the host's are ours.
  ::setenv("LDAPNOINIT", "1", 1);
  // A connection that is gone is an error like others.
  std::signal(SIGPIPE, SIG_IGN);
  std::string fault;
  const auto options = oppetid::agent::FromArguments(
      std::span<const char* const>(argv + 1, static_cast<size_t>(argc) - 1), fault);
  if (!fault.empty()) {
    std::cerr << "oppetid-ad-probe: " << fault << "\n"
              << "usage: oppetid-ad-probe domain=… controller=NAME[,ADDRESS[,SOCKET]] budget_ms=… "
                 "part=… [key=value]…\n";
    return oppetid::agent::kBadUsage;
  }
  return oppetid::agent::Look(options);
}
