// Random worlds written as files and read back give the same bytes of a report.
#include <gtest/gtest.h>

#include <algorithm>

#include "collector/report/json.h"
#include "tests/support/sla_files.h"
#include "tests/support/sla_random.h"
#include "tests/support/sla_text.h"

namespace oppetid::collector {
namespace {

TEST(RoundTrip, FilesSayWhatTheFactsSay) {
  constexpr uint32_t kWorlds = 1'000;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    const RandomWorld world(seed);
    const SlaFiles files(CatalogueText(world.catalogue), HistoryText(world.facts),
                         TicketsText(world.facts));
    ASSERT_EQ(files.faults(), std::vector<std::string>{}) << seed;
    ASSERT_EQ(ReportAsJson(files.Of(world.request)),
              ReportAsJson(ComputeReport(world.catalogue, world.facts, world.request)))
        << seed;
  }
}

TEST(RoundTrip, TheOrderOfLinesNeverMatters) {
  constexpr uint32_t kWorlds = 300;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    const RandomWorld world(seed);
    const std::string catalogue = CatalogueText(world.catalogue);
    const auto shuffled = [&](const std::string& text) {
      std::vector<std::string> lines;
      std::string line;
      for (std::istringstream in(text); std::getline(in, line);) lines.push_back(line + "\n");
      if (!lines.empty()) lines.push_back(lines.front());
      std::mt19937 random(seed);
      std::shuffle(lines.begin(), lines.end(), random);
      std::string out;
      for (const std::string& its : lines) out += its;
      return out;
    };
    const std::string history = HistoryText(world.facts), tickets = TicketsText(world.facts);
    ASSERT_EQ(
        ReportAsJson(SlaFiles(catalogue, shuffled(history), shuffled(tickets)).Of(world.request)),
        ReportAsJson(SlaFiles(catalogue, history, tickets).Of(world.request)))
        << seed;
  }
}

}  // namespace
}  // namespace oppetid::collector
