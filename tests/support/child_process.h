// A program of ours as a child process: its log is read line by line, and it ends with its parent.
//
// Threading: one thread starts, awaits and stops; a reader thread of its own takes the log, so that
// the child never waits for us. Lifetime: the destructor ends the child.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/instant.h"

namespace oppetid {

class ChildProcess {
 public:
  // command[0] is the program's path.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(std::vector<std::string> command);
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // The first line of its stderr with this text in it; empty when none came in time or the child
  // has ended without one.
  std::string AwaitLine(std::string_view text, Millis within);
  // The end of its log.
  std::string LastLines() const;
  // SIGTERM, and SIGKILL when that does not help; the exit code, or -1 when it was killed.
  int Stop();

 private:
  ChildProcess(pid_t pid, int log);
  void Read();

  pid_t pid_;
  int log_;
  bool reaped_ = false;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::string> lines_;
  bool ended_ = false;
  std::thread reader_;
};

// The value of key=value in a line of log; 0 when it is not there.
int NumberIn(std::string_view line, std::string_view key);
// Another program of the same build: its path, beside the one that runs.
std::string Sibling(const std::string& name);

}  // namespace oppetid
