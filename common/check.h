// OPPETID_CHECK: a broken invariant of our own ends the program with a sentence in the log.
//
// For programmer errors only. What comes from the network, a file or an operator is never checked
// with this: it gets a refusal. After an abort systemd restarts the program; spool and ledger are
// durable, so a crash costs no fact.
#pragma once

#include <string_view>

namespace oppetid {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view why);

}  // namespace oppetid

#define OPPETID_CHECK(condition, why) \
  ((condition) ? (void)0 : ::oppetid::CheckFailed(__FILE__, __LINE__, #condition, why))
