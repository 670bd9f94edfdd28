// What long work is at, on a terminal; nothing in a pipe.
#pragma once

#include <string_view>

namespace oppetid::collector {

// One line on stderr that each step replaces; gone when this is.
class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  ~Progress();
  void Step(std::string_view what);

 private:
  bool terminal_;
};

}  // namespace oppetid::collector
