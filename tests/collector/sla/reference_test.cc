// The sweeps against the literal reference, over random small worlds.
#include <gtest/gtest.h>

#include "collector/report/json.h"
#include "tests/support/sla_random.h"
#include "tests/support/sla_reference.h"

namespace oppetid::collector {
namespace {

constexpr uint32_t kWorlds = 10'000;

// The rows as JSON, from figures of either side.
std::string Told(const Report& report) { return ReportAsJson(report); }

TEST(Reference, AgreesOverRandomWorlds) {
  int outages = 0, breached = 0;
  for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
    RandomWorld world(seed);
    const Report report = ComputeReport(world.catalogue, world.facts, world.request);
    Report expected;
    expected.period = world.request.period;
    expected.as_known_at = world.request.as_known_at;
    expected.computed_to = world.request.period.to;
    if (const auto known = world.request.as_known_at; known && *known < expected.computed_to) {
      expected.computed_to = std::max(*known, expected.period.from);
    }
    const reference::World literal{world.catalogue, world.facts, world.request.as_known_at,
                                   expected.period.from, expected.computed_to};
    for (const Service& service : world.catalogue.services) {
      for (const ServiceMember& member : service.members) {
        expected.services.push_back(
            {&service, member.municipality, reference::Account(literal, service, member)});
      }
    }
    for (const BackupJob& job : world.catalogue.backups) {
      BackupRow row{&job, "m0", reference::Backup(literal, job, false), std::nullopt};
      if (job.restore_test_every) row.restore_test = reference::Backup(literal, job, true);
      expected.backups.push_back(row);
    }
    TicketReport tickets = reference::Tickets(literal, std::chrono::minutes(15));
    expected.tickets = tickets.rows;
    expected.satisfaction = tickets.satisfaction;
    ASSERT_EQ(Told(report), Told(expected)) << "seed " << seed;
    for (const ServiceRow& row : report.services) outages += row.figures.outages.size();
    for (const TicketFigures& row : report.tickets) breached += row.resolution_breached;
  }
  // The worlds are worth comparing.
  EXPECT_GT(outages, 1'000);
  EXPECT_GT(breached, 500);
}

}  // namespace
}  // namespace oppetid::collector
