// The collector's own metrics, in a prometheus-cpp registry. Names: oppetid_collector_*.
//
// Threading: safe from any thread, as prometheus-cpp's metrics are. Outlives everything that
// counts.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "collector/dictionary.h"
#include "common/clock.h"
#include "common/log.h"

namespace oppetid::collector {

class Counters {
  // First, because the metrics below live in it.
  const Clock& clock_;
  prometheus::Registry registry_;

 public:
  explicit Counters(const Clock& clock);

  prometheus::Counter& frames;
  prometheus::Counter& samples;
  prometheus::Counter& facts;
  prometheus::Histogram& commit_seconds;
  prometheus::Histogram& ack_seconds;
  prometheus::Gauge& streams;
  prometheus::Gauge& connections;
  prometheus::Gauge& series;
  prometheus::Gauge& ledger_bytes;
  prometheus::Gauge& ledger_writable;
  prometheus::Counter& ledger_rollback;
  prometheus::Counter& duplicates;
  prometheus::Gauge& certificate_expiry;
  prometheus::Gauge& ca_expiry;

  // Counts a refusal, and logs it unless one for the same reason was logged just now, so that a
  // flood of one kind hides no other. `who` is the peer as far as it is known: host, or address.
  // Reasons are constants of the code, so the label stays bounded.
  void Reject(Reason reason, std::string_view who, std::string_view detail = "", double count = 1);

  // The registry as text format 0.0.4, process metrics included.
  std::string Serialize();

 private:
  void SetProcess();

  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Counter& process_cpu_seconds_;
  prometheus::Gauge& process_memory_bytes_;
  prometheus::Gauge& process_start_seconds_;
  prometheus::Gauge& process_open_fds_;
  std::mutex reject_mutex_;
  std::map<std::string_view, RateLimit> reject_logs_;  // by reason
};

}  // namespace oppetid::collector
