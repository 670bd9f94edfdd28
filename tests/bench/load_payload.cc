#include "tests/bench/load_payload.h"

#include <cstdio>

#include "common/clock.h"

namespace oppetid::load {
namespace {

// Of ten series, how many are what.
constexpr int kCounters = 4, kNoisy = 3;
constexpr Millis kEvery{1'000}, kValidFor{3'600'000};

std::string Numbered(const char* prefix, int number) {
  char text[64];
  std::snprintf(text, sizeof text, "%s%05d", prefix, number);
  return text;
}

void Define(int series, uint32_t check, v1::SeriesDefinition* definition) {
  definition->set_id(static_cast<uint32_t>(series) + 1);
  definition->set_check(check);
  const auto label = [&](const char* name, std::string value) {
    definition->add_labels(name);
    definition->add_labels(std::move(value));
  };
  const int kind = series % 10;
  if (kind < kCounters) {
    constexpr const char* kNames[kCounters] = {
        "host_disk_read_bytes_total", "host_disk_written_bytes_total",
        "host_network_receive_bytes_total", "host_network_transmit_bytes_total"};
    definition->set_name(kNames[kind]);
    label("device", Numbered("device-", series));
  } else if (kind < kCounters + kNoisy) {
    definition->set_name("plugin_value");
    label("label", Numbered("measured value ", series));
    label("unit", "seconds");
  } else {
    definition->set_name("host_filesystem_size");
    label("fstype", "ext4");
    label("mountpoint", Numbered("/srv/volume-", series));
  }
}

}  // namespace

Payload::Payload(const Shape& shape, int agent, uint64_t seed)
    : shape_(shape),
      random_(static_cast<uint32_t>(seed) + static_cast<uint32_t>(agent)),
      epoch_(seed * 0x9E3779B97F4A7C15ULL + static_cast<uint64_t>(agent)),
      values_(static_cast<size_t>(shape.series)) {
  for (size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<double>(random_() % 1000000);
}

v1::AgentFrame Payload::Hello(Instant now) const {
  v1::AgentFrame frame;
  v1::Hello* hello = frame.mutable_hello();
  hello->set_version("0.1.0");
  hello->set_os("Debian GNU/Linux 12 (bookworm)");
  hello->set_boot_id("oppetid-load");
  hello->set_now_ms(ToUnixMillis(now));
  hello->set_interval_ms(std::max<int64_t>(1'000, shape_.interval.count()));
  for (int i = 0; i < shape_.checks; ++i) {
    v1::CheckInfo* check = hello->add_checks();
    check->set_name(Numbered("check-", i));
    check->set_sensor("tcp");
    check->set_every_ms(kEvery.count());
    check->set_valid_for_ms(kValidFor.count());
  }
  v1::EpochRange* epoch = hello->add_epochs();
  epoch->set_epoch(epoch_);
  epoch->set_first_sequence(1);
  epoch->set_next_sequence(next_sequence_);
  return frame;
}

const v1::AgentFrame& Payload::Definitions(Instant now) {
  Next(now);
  for (int i = 0; i < shape_.series; ++i) {
    Define(i, static_cast<uint32_t>(i % shape_.checks),
           frame_.mutable_snapshot()->add_definitions());
  }
  return frame_;
}

void Payload::Vary() {
  for (size_t i = 0; i < values_.size(); ++i) {
    const size_t kind = i % 10;
    if (kind < kCounters) {
      values_[i] += static_cast<double>(random_() % 100'000);
    } else if (kind < kCounters + kNoisy) {
      values_[i] = static_cast<double>(random_() % 1'000'000) / 1000.0;
    }
  }
}

const v1::AgentFrame& Payload::Next(Instant now, bool bare) {
  const int64_t now_ms = ToUnixMillis(now);
  frame_.Clear();
  v1::Snapshot* snapshot = frame_.mutable_snapshot();
  snapshot->set_now_ms(now_ms);
  for (int i = static_cast<int>(runs_.size()); i < shape_.checks; ++i) {
    v1::OpenRun run;
    run.set_check(static_cast<uint32_t>(i));
    run.set_state(v1::STATE_OK);
    run.set_since_ms(now_ms);
    run.set_valid_for_ms(kValidFor.count());
    runs_.push_back(run);
  }
  for (v1::OpenRun& run : runs_) {
    run.set_last_ms(now_ms);
    run.set_duration_us(static_cast<int64_t>(500 + random_() % 2'000));
    run.set_text("answered in " + std::to_string(run.duration_us()) + " us");
    *snapshot->add_runs() = run;
  }
  if (bare) return frame_;
  Vary();
  for (int check = 0; check < std::min(shape_.checks, shape_.series); ++check) {
    v1::SampleSet* set = snapshot->add_samples();
    set->set_check(static_cast<uint32_t>(check));
    set->set_at_ms(now_ms);
    for (int i = check; i < shape_.series; i += shape_.checks) {
      set->add_series(static_cast<uint32_t>(i) + 1);
      set->add_values(values_[static_cast<size_t>(i)]);
    }
  }
  return frame_;
}

v1::AgentFrame Payload::Change(Instant now) {
  const int64_t now_ms = ToUnixMillis(now);
  v1::OpenRun& run = runs_[static_cast<size_t>(changing_)];
  changing_ = (changing_ + 1) % shape_.checks;
  v1::AgentFrame frame;
  v1::Facts* facts = frame.mutable_facts();
  facts->set_epoch(epoch_);
  facts->set_first_sequence(next_sequence_++);
  v1::ClosedRun* closed = facts->add_facts()->mutable_run();
  closed->set_check(Numbered("check-", static_cast<int>(run.check())));
  closed->set_state(run.state());
  closed->set_since_ms(run.since_ms());
  closed->set_last_ms(run.last_ms());
  closed->set_valid_for_ms(run.valid_for_ms());
  closed->set_reason(v1::END_REASON_CHANGED);
  run.set_state(run.state() == v1::STATE_OK ? v1::STATE_CRITICAL : v1::STATE_OK);
  // Never the same instant twice: a run is known by check, since and state.
  run.set_since_ms(std::max(now_ms, run.since_ms() + 1));
  return frame;
}

}  // namespace oppetid::load
