// What programs on this machine have reported: the newest word on each passive check, and the runs
// of each job. Kept on disk before it is accepted, so that a restart forgets nothing.
//
// Only what the configuration names is taken, and only from the users it names; the `report` and
// `job` sensors say so when they are made, and look here when they are asked.
// Threading: one thread. Lifetime: clock, and disk once opened, outlive it; sensors do not.
#pragma once

#include <sys/types.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/report_line.h"
#include "common/clock.h"
#include "common/file.h"

namespace oppetid::agent {

// Of one kind of a job: a month of nights.
inline constexpr size_t kMaxReportedRuns = 32;
// Reports taken at a stroke for one check or job, and then one a second: each is a write and a
// sync.
inline constexpr int kReportBurst = 10;

struct PassiveReport {
  State state = State::kUnknown;
  std::string text;
  Instant at;
  Steady heard;  // `at` as a time that no setting of the clock moves
};

struct ReportedRun {
  Instant start;  // the end, where no start was reported
  Instant end;
  bool success = false;
  bool start_known = false;
  std::optional<uint64_t> bytes;
  std::optional<uint64_t> files;
  std::optional<uint64_t> exit_code;
};

struct RunHistory {
  std::optional<Instant> open;  // started, and nothing heard since
  // The first start that another one overtook. It counts as failed; but a success that nobody has
  // started is its end, and reaches no further than it.
  std::optional<Instant> overtaken;
  std::deque<ReportedRun> runs;             // the newest, oldest first
  std::optional<ReportedRun> last_success;  // of the newest start
};
using JobHistory = std::array<RunHistory, kRunKinds>;  // by RunKind

class Reports {
 public:
  explicit Reports(const Clock& clock) : clock_(clock) {}

  // A passive check; it is silent when nothing is heard for so long.
  void AddCheck(const std::string& check, std::set<uid_t> users, Millis silent_after);
  // A job, and the check to be asked when something is heard of it. Several checks may look at one
  // job; the users of all may report it.
  void AddJob(const std::string& job, const std::string& check, const std::set<uid_t>& users);

  // Reads what was kept. What cannot be read is logged and begins anew.
  absl::Status Open(Disk& disk);
  // Called with a check that should be asked now: it was reported, or has become silent.
  void set_on_news(std::function<void(const std::string& check)> on_news) {
    on_news_ = std::move(on_news);
  }

  // Takes one line from a user; the reply, with its newline.
  std::string Take(std::string_view line, uid_t user);

  // Tells of the checks that have become silent; when to call it again, if nothing happens before.
  std::optional<Steady> TellSilent();

  // nullptr when nothing was heard of it for as long as it may be silent.
  const PassiveReport* Newest(const std::string& check) const;
  // The last word ever, however old.
  const PassiveReport* Last(const std::string& check) const;
  const JobHistory& History(const std::string& job) const;

 private:
  // Lets kReportBurst through, and then one a second.
  struct Bucket {
    int left = kReportBurst;
    Steady filled{};
  };
  struct Check {
    std::set<uid_t> users;
    Millis silent_after{};
    std::optional<PassiveReport> newest;
    bool told_silent = false;
    Bucket bucket;
  };
  struct Job {
    std::set<uid_t> users;
    std::set<std::string> checks;
    JobHistory history;
    Bucket bucket;
  };

  bool Spend(Bucket& bucket) const;
  std::string Refusal(const Report& report, uid_t user);
  std::string Accept(const CheckReport& report, uid_t user);
  std::string Accept(const JobReport& report, uid_t user);
  void News(const std::string& check) const;

  const Clock& clock_;
  Disk* disk_ = nullptr;
  std::function<void(const std::string&)> on_news_;
  std::map<std::string, Check, std::less<>> checks_;
  std::map<std::string, Job, std::less<>> jobs_;
};

}  // namespace oppetid::agent
