// oppetid-load: pretends to be many agents, and says what that costs the collector.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/bench/load_run.h"
#include "tests/bench/load_sink.h"
#include "tests/bench/load_target.h"

namespace oppetid::load {
namespace {

constexpr char kAbout[] =
    "oppetid-load pretends to be many agents and says what that costs the collector's process.\n"
    "Each agent has a certificate, connection and stream of its own, over mutual TLS. Of its "
    "series 40 % are growing counters, 30 % noisy and 30 % constant; once a minute one of its "
    "checks changes state, and the ack of that fact is timed.";
constexpr char kNotes[] =
    "JSON: cpu_seconds_per_million_samples, samples (in the measured time), sent and acked (facts, "
    "in all), ack_ms {p50, p99}, bytes_per_series and bytes_per_agent (growth of the process's "
    "PSS).\nWith --interval 0 every Snapshot is followed by one fact, and the next one waits for "
    "its ack: the figures then include one durable fact per Snapshot.\nCtrl-C ends the measured "
    "time early.\nExit codes: 0 fine, 1 failed (a stream ended, a fact or sample was not taken), 2 "
    "bad usage.";

struct Options {
  Plan plan;
  std::string state, interval = "1s", length = "60s", sink;
  bool json = false, transport_only = false;
};

// Each agent is a socket here.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    std::fprintf(stderr, "cannot raise the limit of open files\n");
  }
}

void PrintJson(const Figures& figures) {
  std::printf(
      "{\"cpu_seconds_per_million_samples\":%.4f,\"samples\":%llu,\"sent\":%llu,\"acked\":%llu,"
      "\"ack_ms\":{\"p50\":%.3f,\"p99\":%.3f},\"bytes_per_series\":%.1f,\"bytes_per_agent\":%.0f}"
      "\n",
      figures.cpu_seconds * 1e6 / static_cast<double>(std::max<uint64_t>(1, figures.samples)),
      static_cast<unsigned long long>(figures.samples),
      static_cast<unsigned long long>(figures.sent), static_cast<unsigned long long>(figures.acked),
      Percentile(figures.ack_ms, 0.5), Percentile(figures.ack_ms, 0.99), figures.series_bytes,
      figures.agent_bytes);
}

void PrintTable(const Plan& plan, const Figures& figures) {
  const double millions = static_cast<double>(figures.samples) / 1e6;
  std::printf("agents                %d, with %d series and %d checks each\n", plan.agents,
              plan.shape.series, plan.shape.checks);
  std::printf("measured              %.1f s, %.3f million samples\n", figures.wall_seconds,
              millions);
  std::printf("CPU                   %.3f s, %.3f s per million samples\n", figures.cpu_seconds,
              millions > 0 ? figures.cpu_seconds / millions : 0);
  std::printf("samples per second    %.0f\n",
              figures.wall_seconds > 0 ? millions * 1e6 / figures.wall_seconds : 0);
  std::printf("facts sent, acked     %llu, %llu\n", static_cast<unsigned long long>(figures.sent),
              static_cast<unsigned long long>(figures.acked));
  std::printf("ack                   p50 %.2f ms, p99 %.2f ms\n", Percentile(figures.ack_ms, 0.5),
              Percentile(figures.ack_ms, 0.99));
  std::printf("memory                %.0f B per series, %.0f kB per agent\n", figures.series_bytes,
              figures.agent_bytes / 1000);
  std::printf("Snapshots left out    %llu\n", static_cast<unsigned long long>(figures.skipped));
}

int RunLoad(const Options& options) {
  RaiseDescriptorLimit();
  auto target = options.transport_only  ? StartSink()
                : options.state.empty() ? StartCollector()
                                        : OpenState(options.state);
  if (!target.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(target.status().message()).c_str());
    return 1;
  }
  const auto figures = Run(options.plan, **target);
  if (!figures.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(figures.status().message()).c_str());
    return 1;
  }
  if (options.json) {
    PrintJson(*figures);
  } else {
    PrintTable(options.plan, *figures);
  }
  if (figures->uncounted > 0) {
    std::fprintf(stderr, "error: the collector has not taken %llu of the samples\n",
                 static_cast<unsigned long long>(figures->uncounted));
  }
  if (figures->acked != figures->sent) std::fprintf(stderr, "error: facts without an ack\n");
  return figures->uncounted == 0 && figures->acked == figures->sent ? 0 : 1;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app{kAbout};
  app.footer(kNotes);
  app.add_option("--agents", options.plan.agents, "How many agents")
      ->check(CLI::Range(1, 50'000))
      ->capture_default_str();
  app.add_option("--series", options.plan.shape.series, "Series of each agent")
      ->check(CLI::Range(1, 20'000))
      ->capture_default_str();
  app.add_option("--checks", options.plan.shape.checks, "Checks of each agent")
      ->check(CLI::Range(1, 2'000))
      ->capture_default_str();
  app.add_option("--interval", options.interval, "Time between Snapshots; 0: as fast as acked")
      ->capture_default_str();
  app.add_option("--for", options.length, "The measured time")->capture_default_str();
  app.add_option("--state", options.state, "A running deploy/run state directory");
  app.add_flag("--json", options.json, "One line of JSON instead of a table");
  app.add_flag("--hold", options.plan.hold,
               "Send every series once, then only keep the streams, for others to measure");
  app.add_flag("--transport-only", options.transport_only,
               "Against a server that only decodes, instead of a collector: the floor");
  CLI::App* sink = app.add_subcommand("sink")->group("");
  sink->add_option("DIRECTORY", options.sink)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (*sink) return RunSink(options.sink);
  const auto interval = ParseDuration(options.interval == "0" ? "0s" : options.interval);
  const auto length = ParseDuration(options.length);
  if (!interval || !length || (interval->count() != 0 && interval->count() < 100) ||
      length->count() < 100) {
    std::fprintf(stderr, "--interval: 0, or 100ms and more; --for: 100ms and more; as in 1s, 5m\n");
    return 2;
  }
  if (options.transport_only && !options.state.empty()) {
    std::fprintf(stderr, "--transport-only and --state exclude each other\n");
    return 2;
  }
  options.plan.shape.interval = *interval;
  options.plan.length = *length;
  return RunLoad(options);
}

}  // namespace
}  // namespace oppetid::load

int main(int argc, char** argv) { return oppetid::load::Main(argc, argv); }
