#include "collector/take_overs.h"

#include "common/instant.h"

namespace oppetid::collector {
namespace {

constexpr Millis kWindow{300'000};
constexpr size_t kAllowed = 3;
constexpr Millis kRefusedFor{300'000};

}  // namespace

bool TakeOvers::Refused(const std::string& host, Steady now) const {
  const auto refused = refused_until_.find(host);
  return refused != refused_until_.end() && now < refused->second;
}

bool TakeOvers::Note(const std::string& host, uint64_t epoch, Steady now) {
  auto& recent = recent_[host];
  while (!recent.empty() && now - recent.front().at > kWindow) recent.pop_front();
  // The same one again has a bad line, and counts once.
  if (recent.empty() || recent.back().epoch != epoch) recent.push_back({now, epoch});
  if (recent.size() <= kAllowed) return true;
  recent.clear();
  refused_until_[host] = now + kRefusedFor;
  return false;
}

std::vector<std::string> TakeOvers::Expire(Steady now) {
  std::vector<std::string> hosts;
  for (auto it = refused_until_.begin(); it != refused_until_.end();) {
    if (now < it->second) {
      ++it;
      continue;
    }
    hosts.push_back(it->first);
    it = refused_until_.erase(it);
  }
  return hosts;
}

}  // namespace oppetid::collector
