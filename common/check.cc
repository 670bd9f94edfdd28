#include "common/check.h"

#include <cstdlib>

#include "common/log.h"

namespace oppetid {

void CheckFailed(const char* file, int line, const char* condition, std::string_view why) {
  LogError("broken invariant",
           {{"file", file}, {"line", line}, {"condition", condition}, {"why", why}});
  std::abort();
}

}  // namespace oppetid
