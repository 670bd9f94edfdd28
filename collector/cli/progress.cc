#include "collector/cli/progress.h"

#include <unistd.h>

#include <iostream>

namespace oppetid::collector {
namespace {

constexpr char kClear[] = "\r\033[K";

}  // namespace

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (terminal_) std::cerr << kClear << std::flush;
}

void Progress::Step(std::string_view what) {
  if (terminal_) std::cerr << kClear << what << " …" << std::flush;
}

}  // namespace oppetid::collector
