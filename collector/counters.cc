#include "collector/counters.h"

#include <dirent.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "common/file.h"
#include "common/instant.h"

namespace oppetid::collector {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

// A fast disk commits in 0.1 ms, a tired one in a second.
const Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                              0.05,   0.1,   0.25,   0.5,   1,    5};
// One line a second tells an operator enough; the counter has the rest.
constexpr Millis kLogEvery{1'000};

Counter& MakeCounter(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}
Gauge& MakeGauge(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}
Histogram& MakeHistogram(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, kSeconds);
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double ResidentBytes() {
  const auto statm = ReadFile("/proc/self/statm", 4'096);
  unsigned long long size = 0, resident = 0;
  if (!statm.ok() || std::sscanf(statm->c_str(), "%llu %llu", &size, &resident) != 2) return 0;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double OpenFds() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  double count = 0;
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count - 3;  // ".", ".." and this directory itself
}

}  // namespace

Counters::Counters(const Clock& clock)
    : clock_(clock),
      frames(MakeCounter(registry_, "oppetid_collector_frames_total", "Frames from agents.")),
      samples(MakeCounter(registry_, "oppetid_collector_samples_total",
                          "Samples from agents that were accepted.")),
      facts(MakeCounter(registry_, "oppetid_collector_facts_total",
                        "Facts from agents that were not known before.")),
      commit_seconds(MakeHistogram(registry_, "oppetid_collector_commit_seconds",
                                   "Duration of a commit to the ledger.")),
      ack_seconds(MakeHistogram(registry_, "oppetid_collector_ack_seconds",
                                "Time from the receipt of facts to their ack.")),
      streams(MakeGauge(registry_, "oppetid_collector_streams", "Agents' streams now open.")),
      connections(MakeGauge(registry_, "oppetid_collector_connections",
                            "Connections on the gRPC port that have not begun to speak TLS yet.")),
      series(MakeGauge(registry_, "oppetid_collector_series",
                       "Series now defined by connected agents.")),
      ledger_bytes(
          MakeGauge(registry_, "oppetid_collector_ledger_bytes", "Size of the ledger's file.")),
      ledger_writable(MakeGauge(registry_, "oppetid_collector_ledger_writable",
                                "1 while facts are stored: the last commit succeeded, and this "
                                "machine's clock is not before the newest record.")),
      ledger_rollback(MakeCounter(registry_, "oppetid_collector_ledger_rollback_total",
                                  "Commits that failed and left the ledger as it was.")),
      duplicates(MakeCounter(registry_, "oppetid_collector_duplicates_total",
                             "Facts received again after they had been stored.")),
      certificate_expiry(MakeGauge(registry_,
                                   "oppetid_collector_certificate_expiry_timestamp_seconds",
                                   "End of validity of the collector's own certificate.")),
      ca_expiry(MakeGauge(registry_, "oppetid_collector_ca_expiry_timestamp_seconds",
                          "End of validity of the earliest expiring CA that is trusted.")),
      rejected_(prometheus::BuildCounter()
                    .Name("oppetid_collector_rejected_total")
                    .Help("What was refused, by reason.")
                    .Register(registry_)),
      process_cpu_seconds_(MakeCounter(registry_, "process_cpu_seconds_total",
                                       "User and system CPU time of the collector.")),
      process_memory_bytes_(MakeGauge(registry_, "process_resident_memory_bytes",
                                      "Resident memory of the collector.")),
      process_start_seconds_(MakeGauge(registry_, "process_start_time_seconds",
                                       "When the collector was started, seconds since 1970.")),
      process_open_fds_(
          MakeGauge(registry_, "process_open_fds", "Open file descriptors of the collector.")) {
  process_start_seconds_.Set(static_cast<double>(ToUnixMillis(clock.Now())) / 1000.0);
}

void Counters::Reject(Reason reason, std::string_view who, std::string_view detail, double count) {
  rejected_.Add({{"reason", reason}}).Increment(count);
  RateLimit* log = nullptr;
  {
    const std::lock_guard lock(reject_mutex_);
    log = &reject_logs_.try_emplace(reason, kLogEvery).first->second;
  }
  uint64_t suppressed = 0;
  if (!log->Allow(clock_.SteadyNow(), &suppressed)) return;
  LogWarning("refused",
             {{"reason", reason}, {"from", who}, {"detail", detail}, {"not_logged", suppressed}});
}

void Counters::SetProcess() {
  process_cpu_seconds_.Increment(CpuSeconds() - process_cpu_seconds_.Value());
  process_memory_bytes_.Set(ResidentBytes());
  process_open_fds_.Set(OpenFds());
}

std::string Counters::Serialize() {
  SetProcess();
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace oppetid::collector
