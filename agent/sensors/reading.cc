#include "agent/sensors/reading.h"

#include <algorithm>
#include <array>

namespace oppetid::agent {
namespace {

struct Word {
  std::string_view part;  // in lower case
  ReadingKind kind;
};

// The words of the devices we know and of those who name their inputs, in English and Norwegian.
constexpr auto kWords = std::to_array<Word>({
    {"leak", ReadingKind::kLeak},
    {"water", ReadingKind::kLeak},
    {"flood", ReadingKind::kLeak},
    {"vann", ReadingKind::kLeak},
    {"lekkasje", ReadingKind::kLeak},
    {"smoke", ReadingKind::kSmoke},
    {"fire", ReadingKind::kSmoke},
    {"r\xC3\xB8yk", ReadingKind::kSmoke},
    {"brann", ReadingKind::kSmoke},
    {"door", ReadingKind::kDoor},
    {"intrusion", ReadingKind::kDoor},
    {"d\xC3\xB8r", ReadingKind::kDoor},
});

}  // namespace

std::optional<ReadingKind> KindOfContact(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const Word& word : kWords) {
    if (lower.find(word.part) != std::string::npos) return word.kind;
  }
  return std::nullopt;
}

}  // namespace oppetid::agent
