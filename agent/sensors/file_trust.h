// Whether a program may be run with our rights: not when somebody else could change what runs.
//
// Safe from any thread; touches the file system, so it can block.
#pragma once

#include <string>

namespace oppetid::agent {

// Why this file must not be run: somebody other than root and our own user could change what runs.
// Empty when it is safe. Each directory and symbolic link on the way must belong to root or to our
// own user, and be writable by neither group nor others (a sticky directory such as /tmp is fine:
// others can add files there, but replace none).
struct FileTrust {
  bool writable_by_others = false;
  std::string reason;  // one line; also set for a file that is missing or not to be run
};
FileTrust ExamineProgram(const std::string& path);

}  // namespace oppetid::agent
