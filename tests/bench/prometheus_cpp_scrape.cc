// A peer of the scrape benchmark: what prometheus-cpp's registry and TextSerializer cost for as
// many gauges as its argument says, with labels like ours. Prints one line of JSON.
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

double Now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Of this program alone; getrusage would give its parent's before the exec.
double PeakMegabytes() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    double kilobytes = 0;
    if (word == "VmHWM:" && file >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int series = argc == 2 ? std::atoi(argv[1]) : 0;
  if (series <= 0) {
    std::fprintf(stderr, "usage: prometheus-cpp-scrape SERIES\n");
    return 2;
  }
  prometheus::Registry registry;
  auto& family = prometheus::BuildGauge().Name("plugin_value").Help("A value.").Register(registry);
  for (int i = 0; i < series; ++i) {
    const std::string number = std::to_string(i % 200);
    family
        .Add({{"municipality", "load"},
              {"host", "load-" + std::to_string(i / 200)},
              {"check", "check-" + number},
              {"label", "measured value " + number},
              {"unit", "seconds"}})
        .Set(i * 1.5);
  }
  const double peak = PeakMegabytes();
  const double start = Now(CLOCK_MONOTONIC);
  const double cpu = Now(CLOCK_PROCESS_CPUTIME_ID);
  const std::string page = prometheus::TextSerializer().Serialize(registry.Collect());
  const double cost = Now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  std::printf("{\"us_per_series\":%.3f,\"ms\":%.1f,\"spike_mb\":%.1f,\"bytes\":%zu}\n",
              cost * 1e6 / series, (Now(CLOCK_MONOTONIC) - start) * 1e3, PeakMegabytes() - peak,
              page.size());
  return 0;
}
