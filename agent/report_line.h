// What programs on this machine report to the agent, as one line of JSON each way:
//
//   {"check":"raid","state":"ok","text":"all disks in place"}
//   {"job":"nightly","kind":"backup","state":"start"}
//   {"job":"nightly","kind":"backup","state":"success","bytes":734003200,"files":12,"exit_code":0}
//   {"job":"nightly","kind":"check","depth":"data","state":"fail","exit_code":1}
// answered by
//   {"accepted":true}   or   {"accepted":false,"reason":"…"}
//
// Read strictly: a key that is not known is refused, so that a slip is seen at once.
// Pure functions, safe from any thread; any input gives a report or a fault.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/state.h"

namespace oppetid::agent {

// With its newline. Names are at most 100 bytes and texts 256.
inline constexpr size_t kMaxReportLine = 4096;

struct CheckReport {
  std::string check;
  State state = State::kUnknown;
  std::string text;  // one line, at most 256 bytes
};

// The values are stored by name, never by number.
enum class RunKind { kBackup, kRestoreTest, kMetadataCheck, kDataCheck, kOffsite };
inline constexpr size_t kRunKinds = 5;
enum class RunEvent { kStart, kSuccess, kFail };

struct JobReport {
  std::string job;
  RunKind kind = RunKind::kBackup;
  RunEvent event = RunEvent::kStart;
  std::optional<uint64_t> bytes;
  std::optional<uint64_t> files;
  std::optional<uint64_t> exit_code;  // 0 to 255
};

using Report = std::variant<CheckReport, JobReport>;

// The names of kinds: backup, restore_test, check, offsite; a check has a depth, metadata or data.
std::optional<RunKind> ParseRunKind(std::string_view kind, std::string_view depth);
std::optional<RunEvent> ParseRunEvent(std::string_view name);

struct ParsedReport {
  std::optional<Report> report;
  std::string fault;  // what is wrong and what is allowed; set when there is no report
};
ParsedReport ParseReport(std::string_view line);
// With its newline.
std::string FormatReport(const Report& report);

// With its newline; an empty reason is an acceptance.
std::string FormatReply(std::string_view refusal);
// The reason of a refusal, empty for an acceptance; nullopt when it is no reply.
std::optional<std::string> ParseReply(std::string_view line);

}  // namespace oppetid::agent
