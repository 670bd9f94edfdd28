// simulation: plays worlds from seeds and says which promise a world broke. See --help.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "tests/simulation/oracle.h"

namespace oppetid::simulation {
namespace {

// Whether every promise was kept.
bool Play(uint64_t seed, bool trace, Stats* stats) {
  World world(Plan::Of(seed), trace);
  world.Run();
  Judge(world);
  stats->Add(world.stats);
  if (world.failures().empty()) {
    const auto copy = world.SendAllAgain(seed + 1);
    JudgeCopy(world, *copy);
    // A ledger that has nothing may ask for what was damaged after it was acked. The gap for it is
    // written then, and what is old enough goes; the next two get the same.
    const auto first = Canonical(world.plan.damage ? *world.SendAllAgain(seed + 3) : *copy);
    const auto second = Canonical(*world.SendAllAgain(seed + 2));
    if (first != second) world.Fail("two orders of arrival make two different ledgers");
  }
  if (world.failures().empty()) return true;
  std::printf("%s\n", world.plan.Text().c_str());
  for (const std::string& failure : world.failures()) std::printf("  %s\n", failure.c_str());
  std::printf("  again: simulation --seed %llu --trace\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return false;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Plays made worlds of five agents and a collector, an hour each with faults from a seed,\n"
      "and compares what the ledger believes with what was measured.");
  std::string seeds = "1-100";
  uint64_t seed = 0;
  bool trace = false;
  app.add_option("--seeds", seeds, "Worlds FROM-TO, both included")->capture_default_str();
  app.add_option("--seed", seed, "One world alone");
  app.add_flag("--trace", trace, "Tell what happens, with the programs' own logs");
  CLI11_PARSE(app, argc, argv);
  unsigned long long from = seed, to = seed;
  if (app.count("--seed") == 0 && std::sscanf(seeds.c_str(), "%llu-%llu", &from, &to) != 2) {
    std::fprintf(stderr, "--seeds wants FROM-TO, for instance 1-100\n");
    return 2;
  }
  if (trace) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);  // in order with the programs' logs
  } else {
    // Thousands of worlds log what is of no interest.
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) ::dup2(null, STDERR_FILENO);
  }
  Stats stats;
  uint64_t failed = 0;
  const auto began = std::chrono::steady_clock::now();
  for (unsigned long long s = from; s <= to; ++s) failed += Play(s, trace, &stats) ? 0 : 1;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto count = static_cast<double>(to - from + 1);
  std::printf(
      "%.0f worlds (%llu failed), %.0f agent hours, %llu observations, %llu runs written, "
      "%llu backup runs,\n%llu streams, %llu frames, %llu kills, %llu crashes, %llu restores, "
      "%llu gaps; %.1f worlds/s\n",
      count, static_cast<unsigned long long>(failed), 5 * count,
      static_cast<unsigned long long>(stats.observations),
      static_cast<unsigned long long>(stats.facts), static_cast<unsigned long long>(stats.backups),
      static_cast<unsigned long long>(stats.streams), static_cast<unsigned long long>(stats.frames),
      static_cast<unsigned long long>(stats.kills), static_cast<unsigned long long>(stats.crashes),
      static_cast<unsigned long long>(stats.restores), static_cast<unsigned long long>(stats.gaps),
      count / seconds);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace oppetid::simulation

int main(int argc, char** argv) { return oppetid::simulation::Main(argc, argv); }
