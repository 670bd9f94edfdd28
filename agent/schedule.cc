#include "agent/schedule.h"

#include <algorithm>
#include <cstdint>

namespace oppetid::agent {
namespace {

// FNV-1a, 64 bits, with a final mix (short names differ in few bits only). Stable for ever: an
// upgrade must not move a fleet's offsets.
uint64_t Hash(std::string_view a, std::string_view b) {
  uint64_t hash = 14695981039346656037ULL;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  };
  add(a);
  add("/");
  add(b);
  hash ^= hash >> 32;
  hash *= 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace

void Schedule::Add(std::string_view check, Millis every, Instant wall, Steady now) {
  const uint64_t hash = Hash(host_, check);
  const int64_t period = every.count();
  const auto offset = static_cast<int64_t>(hash % static_cast<uint64_t>(period));
  const int64_t phase = ToUnixMillis(wall) % period;
  const Millis until_turn((offset - phase + period) % period);
  const auto within = std::min(kFirstWithin, every);
  const Millis early(static_cast<int64_t>((hash >> 20) % static_cast<uint64_t>(within.count())));
  Turn turn{now + early, now + until_turn, every};
  if (turn.next <= turn.first) turn.first = Steady::max();
  turns_.push_back(turn);
}

std::vector<size_t> Schedule::TakeDue(Steady now) {
  std::vector<size_t> due;
  for (size_t i = 0; i < turns_.size(); ++i) {
    Turn& turn = turns_[i];
    bool is_due = false;
    if (turn.first <= now) {
      turn.first = Steady::max();
      is_due = true;
    }
    if (turn.next <= now) {
      const auto missed = (now - turn.next) / turn.every;
      turn.next += (missed + 1) * turn.every;
      is_due = true;
    }
    if (is_due) due.push_back(i);
  }
  return due;
}

Steady Schedule::Next() const {
  Steady next = Steady::max();
  for (const Turn& turn : turns_) next = std::min({next, turn.first, turn.next});
  return next;
}

}  // namespace oppetid::agent
