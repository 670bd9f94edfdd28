// Runs another program and keeps what it said: for the sensors that ask through a tool.
//
// The program gets an argument vector (no shell), a clean environment, /dev/null as its input, "/"
// as its directory, none of our descriptors and a process group of its own. When the awaiting
// coroutine is cancelled or destroyed the whole group is killed at once; when the program ends by
// itself, so is whatever it left in its group. Only what opens a session of its own escapes.
//
// Threading: Run on the agent's thread; the start itself (it waits for the exec, which a dead file
// server can hold up) on the pool. Children are reaped through their pidfd: SIGCHLD stays unused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/sensors/sensor.h"

namespace oppetid::agent {

// Kept of a program's standard output unless its Command says otherwise; the rest is read and
// thrown away.
inline constexpr size_t kMaxStdoutBytes = 64 * 1024;
// Kept of its standard error: enough for one line for people.
inline constexpr size_t kMaxStderrBytes = 4 * 1024;

struct Command {
  std::vector<std::string> argv;  // argv[0] is an absolute path
  // Added to PATH and LANG=C.UTF-8; the same name replaces ours.
  std::vector<std::pair<std::string, std::string>> environment;
  size_t max_stdout_bytes = kMaxStdoutBytes;
  // Gives way to everything else on the machine, for processor and disk.
  bool gentle = false;
};

struct Finished {
  std::string fault;  // set when the program could not be started or waited for; one line
  int exit_code = 0;  // 0 to 255, unless killed by a signal
  int signal = 0;     // the signal that ended it, or 0
  std::string output;
  std::string error_output;
  bool output_cut = false;  // there was more than the command's max_stdout_bytes
};

// One program that is run again and again, one run at a time.
class Subprocess {
 public:
  Subprocess(Command command, World& world);

  // Runs it to its end. Throws only the system_error of a cancellation.
  // While a cancelled run has not quite ended (its start or its death hangs in the kernel, as on a
  // dead file server) there is no second one beside it, but a fault.
  boost::asio::awaitable<Finished> Run();

 private:
  std::shared_ptr<const Command> command_;
  World& world_;
  std::weak_ptr<void> last_run_;  // alive from before a start until after the reaping
};

}  // namespace oppetid::agent
