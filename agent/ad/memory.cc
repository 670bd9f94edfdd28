#include "agent/ad/memory.h"

#include <algorithm>
#include <vector>

#include "agent/sensors/ad_decode.h"

namespace oppetid::agent {
namespace {

constexpr Millis kRetryAfter = std::chrono::hours(1);

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty() && words.size() < 6) {
    const size_t space = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, space));
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return words;
}

// An instant that can be counted with, whatever the file says.
Instant ToInstant(int64_t ms) {
  constexpr int64_t kFarAhead = 253'402'300'799'000;  // the end of the year 9999
  return FromUnixMillis(std::clamp<int64_t>(ms, 0, kFarAhead));
}

void ReadLine(std::string_view line, AdMemory& memory) {
  const auto words = Words(line);
  if (words.size() < 2) return;
  const auto number = words.size() > 2 ? ParseDecimal(words[2]) : std::nullopt;
  if (words[0] == "refused") {
    // Whatever else is damaged, this secret was refused.
    AdRefusal refusal;
    refusal.secret = words[1];
    refusal.code = number ? static_cast<uint32_t>(*number) : 0;
    const auto at = words.size() > 3 ? ParseDecimal(words[3]) : std::nullopt;
    refusal.at = ToInstant(at.value_or(0));
    if (words.size() > 4) refusal.controller = words[4];
    memory.refusal = std::move(refusal);
  } else if (!number) {
    return;
  } else if (words[0] == "usn" && memory.usn.size() < kMaxAdMemoryEntries) {
    memory.usn[std::string(words[1])] = *number;
  } else if (words[0] == "mismatched" && memory.mismatched.size() < kMaxAdMemoryEntries) {
    memory.mismatched[std::string(words[1])] = ToInstant(*number);
  }
}

}  // namespace

AdMemory ParseAdMemory(std::string_view text) {
  AdMemory memory;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    ReadLine(text.substr(0, end), memory);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return memory;
}

std::string FormatAdMemory(const AdMemory& memory) {
  std::string text;
  if (memory.refusal) {
    text += "refused " + memory.refusal->secret + " " + std::to_string(memory.refusal->code) + " " +
            std::to_string(ToUnixMillis(memory.refusal->at)) + " " + memory.refusal->controller +
            "\n";
  }
  for (const auto& [invocation, usn] : memory.usn) {
    text += "usn " + invocation + " " + std::to_string(usn) + "\n";
  }
  for (const auto& [controller, since] : memory.mismatched) {
    text += "mismatched " + controller + " " + std::to_string(ToUnixMillis(since)) + "\n";
  }
  return text;
}

bool MayLogOn(const AdMemory& memory, std::string_view secret, Instant now) {
  if (!memory.refusal || memory.refusal->secret != secret) return true;
  if (RefusalCounts(memory.refusal->code)) return false;
  // A clock that went back gives no try either.
  return now >= memory.refusal->at + kRetryAfter;
}

}  // namespace oppetid::agent
