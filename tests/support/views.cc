#include "tests/support/views.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace oppetid::collector {
namespace {

std::shared_ptr<const AgentView> FileServer() {
  auto agent = std::make_shared<AgentView>();
  agent->municipality = "fjord";
  agent->host = "srv1";
  agent->version = "0.1.0";
  agent->os = "Debian GNU/Linux \"12\" \\ bookworm\nsecond line";
  agent->up = true;
  agent->connected = true;
  agent->last_seen = kViewAt - Millis(1'234);
  agent->clock_offset_ms = -7;
  agent->spool_facts = 3;
  agent->spool_bytes = 4'096;
  agent->gap_ms = 90'500;
  agent->gaps = 2;
  agent->certificate_expires = kViewAt + std::chrono::hours(24 * 30);
  Dictionary dictionary("fjord", "srv1", {"cpu", "windows", "portal"});
  uint64_t dropped = 0;
  for (const v1::SeriesDefinition& definition : {
           Definition(1, "host_load1"),
           Definition(2, "host_cpu_seconds_total", {"mode", "idle"}),
           Definition(3, "host_cpu_seconds_total", {"mode", "user"}),
           Definition(4, "windows_share_bytes", {"path", "C:\\data\n\"old\""}, 1, true),
           Definition(5, "windows_nan", {}, 1, true),
           Definition(6, "windows_service_state", {"name", "blåbær"}, 1, true),
           Definition(7, "probe_duration_seconds", {"phase", "tls"}, 2),
           Definition(8, "plugin_value", {"label", "a \"b\" \\ c", "unit", "s"}, 2),
       }) {
    EXPECT_EQ(dictionary.Define(definition, &dropped), kAccepted);
  }
  const Instant later = kViewAt + Millis(45'000);
  CheckView cpu;
  cpu.check = "cpu";
  cpu.state = State::kOk;
  cpu.since = kViewAt - Millis(3'600'000);
  cpu.last_observed = kViewAt - Millis(15'000);
  cpu.valid_until = later;
  cpu.text = "load 0.5";
  cpu.duration_seconds = 0.000321;
  cpu.samples = LaidOut(dictionary, Samples(0, {{2, 1e9}, {1, 0.5}, {3, 12345.675}}), later);
  CheckView windows;
  windows.check = "windows";
  windows.state = State::kWarning;
  windows.since = kViewAt - Millis(60'001);
  windows.last_observed = kViewAt - Millis(1);
  windows.valid_until = later;
  windows.text = "exporter said \"no\"\tand \\ more";
  windows.duration_seconds = 1.5;
  windows.unconfirmed_total = 4;
  windows.samples = LaidOut(
      dictionary,
      Samples(1, {{4, -1e-300}, {5, std::nan("")}, {6, std::numeric_limits<double>::infinity()}}),
      later);
  CheckView portal;
  portal.check = "portal";
  portal.state = State::kCritical;
  portal.since = kViewAt;
  portal.last_observed = kViewAt;
  portal.valid_until = kViewAt + Millis(1);
  portal.text = "500";
  portal.samples = LaidOut(dictionary, Samples(2, {{7, 0.25}, {8, 3}}), kViewAt + Millis(1));
  agent->checks = {cpu, windows, portal};
  return agent;
}

// Silent for an hour: what it measured last must not stay.
std::shared_ptr<const AgentView> SilentServer() {
  auto agent = std::make_shared<AgentView>();
  agent->municipality = "vik";
  agent->host = "srv2";
  agent->version = "0.0.9";
  agent->os = "Debian";
  agent->up = false;
  agent->duplicate = true;
  agent->last_seen = kViewAt - Millis(3'600'000);
  Dictionary dictionary("vik", "srv2", {"disk"});
  uint64_t dropped = 0;
  EXPECT_EQ(dictionary.Define(Definition(1, "host_load1"), &dropped), kAccepted);
  CheckView disk;
  disk.check = "disk";
  disk.since = kViewAt - Millis(3'000'000);
  disk.last_observed = kViewAt - Millis(3'600'000);
  disk.valid_until = kViewAt - Millis(3'000'000);
  disk.text = "no observation since 2026-07-03T09:00:00.000Z; it was ok";
  disk.samples = LaidOut(dictionary, Samples(0, {{1, 99}}), kViewAt + Millis(1'000));
  agent->checks = {disk};
  return agent;
}

// Known from the ledger only, just after a start of the collector.
std::shared_ptr<const AgentView> UnknownServer() {
  auto agent = std::make_shared<AgentView>();
  agent->municipality = "vik";
  agent->host = "srv3";
  CheckView never;
  never.check = "new";
  never.text = "not observed yet";
  agent->checks = {never};
  return agent;
}

}  // namespace

v1::SeriesDefinition Definition(uint32_t id, const std::string& name,
                                const std::vector<std::string>& labels, uint32_t check,
                                bool carried) {
  v1::SeriesDefinition definition;
  definition.set_id(id);
  definition.set_name(name);
  for (const std::string& label : labels) definition.add_labels(label);
  definition.set_check(check);
  definition.set_carried(carried);
  return definition;
}

v1::SampleSet Samples(uint32_t check, const std::vector<std::pair<uint32_t, double>>& values) {
  v1::SampleSet set;
  set.set_check(check);
  for (const auto& [id, value] : values) {
    set.add_series(id);
    set.add_values(value);
  }
  return set;
}

std::shared_ptr<const SampleBlock> LaidOut(const Dictionary& dictionary, const v1::SampleSet& set,
                                           Instant valid_until) {
  std::shared_ptr<const SampleBlock> block;
  uint64_t dropped = 0;
  EXPECT_EQ(dictionary.Lay(set, nullptr, valid_until, &block, &dropped), kAccepted);
  return block;
}

std::shared_ptr<View> ExampleView() {
  auto view = std::make_shared<View>();
  view->at = kViewAt;
  view->agents = {FileServer(), SilentServer(), UnknownServer()};
  return view;
}

}  // namespace oppetid::collector
