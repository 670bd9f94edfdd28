// After an hour without a collector: how two hundred agents come back.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/simulation/world.h"

namespace oppetid::simulation {
namespace {

constexpr size_t kMany = 200;

TEST(Outage, NewestStatesComeWithinSecondsAndTheBacklogBehindThem) {
  World world(Plan{}, /*trace=*/false, kMany);
  world.Start();
  world.scheduler.Run(300'000);
  world.collector->Die();
  world.scheduler.Run(300'000 + kHourMs);
  const int64_t back = world.scheduler.now();
  world.collector->Start();
  uint64_t backlog = 0;
  for (const auto& agent : world.agents) backlog += agent->core()->spool().stats().unacked_facts;
  world.scheduler.Run(back + 60'000);

  std::vector<int64_t> present;       // until the agent's newest state was there
  std::map<int64_t, int> per_second;  // agents that came back
  for (const auto& agent : world.agents) {
    const Stream* stream = agent->stream().get();
    ASSERT_NE(stream, nullptr) << agent->name() << " is not back after a minute";
    ASSERT_GE(stream->first_snapshot, back);
    present.push_back(stream->first_snapshot - back);
    ++per_second[present.back() / 1'000];
    const bool facts = stream->first_facts >= 0;
    EXPECT_TRUE(!facts || stream->first_snapshot <= stream->first_facts) << agent->name();
    EXPECT_LE(agent->core()->spool().stats().unacked_facts, 4U) << "but for what happens just now";
  }
  std::sort(present.begin(), present.end());
  const int herd = std::max_element(per_second.begin(), per_second.end(), [](auto& a, auto& b) {
                     return a.second < b.second;
                   })->second;
  std::printf(
      "present again after: median %.1f s, 90%% %.1f s, last %.1f s; most in one second: %d; "
      "backlog of %llu facts delivered\n",
      static_cast<double>(present[kMany / 2]) / 1e3,
      static_cast<double>(present[kMany * 9 / 10]) / 1e3, static_cast<double>(present.back()) / 1e3,
      herd, static_cast<unsigned long long>(backlog));
  EXPECT_GT(backlog, kMany) << "there was something to deliver";
  EXPECT_LE(present.back(), 32'000) << "the longest wait between two tries, and a little";
  EXPECT_LE(herd, static_cast<int>(kMany) / 8) << "they come one by one";
}

}  // namespace
}  // namespace oppetid::simulation
