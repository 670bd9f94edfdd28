#include "collector/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "collector/counters.h"
#include "common/families.h"
#include "tests/support/golden.h"
#include "tests/support/manual_clock.h"
#include "tests/support/views.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::string Render(std::shared_ptr<const View> view, Renderer::Part part,
                   const std::string& municipality = "", const std::string& head = "") {
  Renderer renderer(std::move(view), part, head,
                    municipality.empty() ? Reach::All() : Reach::Of(municipality));
  std::string text;
  for (std::string chunk; renderer.Next(&chunk); chunk.clear()) text += chunk;
  return text;
}

std::string Value(double value) {
  std::string text;
  AppendValue(value, &text);
  return text;
}

// Reads a value as Prometheus does: without regard to case for NaN and infinities.
double Parse(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

TEST(Exposition, PrintsOwnMetricsAsEver) {
  ExpectGolden("metrics.txt", Render(ExampleView(), Renderer::Part::kOwn));
}

TEST(Exposition, PrintsCarriedMetricsAsEver) {
  ExpectGolden("metrics_carried.txt", Render(ExampleView(), Renderer::Part::kCarried));
}

TEST(Exposition, PutsTheHeadFirst) {
  const std::string text = Render(ExampleView(), Renderer::Part::kOwn, "", "head 1\n");
  EXPECT_EQ(text, "head 1\n" + Render(ExampleView(), Renderer::Part::kOwn));
}

TEST(Exposition, NarrowsToAMunicipality) {
  const std::string text = Render(ExampleView(), Renderer::Part::kOwn, "vik");
  EXPECT_THAT(text, HasSubstr("oppetid_agent_up{municipality=\"vik\",host=\"srv2\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("fjord")));
  EXPECT_EQ(Render(ExampleView(), Renderer::Part::kCarried, "vik"), "");
  EXPECT_THAT(Render(ExampleView(), Renderer::Part::kCarried, "fjord"), HasSubstr("windows_nan"));
}

TEST(Exposition, LeavesOutTheSeriesOfAnAgentThatIsNotUp) {
  const std::string text = Render(ExampleView(), Renderer::Part::kOwn);
  EXPECT_THAT(text, HasSubstr("host_load1{municipality=\"fjord\",host=\"srv1\"} 0.5\n"));
  EXPECT_THAT(text, Not(HasSubstr("host_load1{municipality=\"vik\"")));
  EXPECT_THAT(text, Not(HasSubstr("oppetid_agent_up{municipality=\"vik\",host=\"srv3\"}")))
      << "not known yet is neither up nor down";
  EXPECT_THAT(text, Not(HasSubstr("oppetid_agent_info{municipality=\"vik\"")));
}

TEST(Exposition, LeavesOutBlocksThatHaveExpired) {
  auto view = ExampleView();
  EXPECT_THAT(Render(view, Renderer::Part::kOwn), HasSubstr("probe_duration_seconds{"));
  view->at += Millis(1);
  const std::string text = Render(view, Renderer::Part::kOwn);
  EXPECT_THAT(text, Not(HasSubstr("probe_duration_seconds")));
  EXPECT_THAT(text, HasSubstr("host_load1{"));
}

TEST(Exposition, PrintsTheFamiliesOfAnEmptyView) {
  const std::string text = Render(std::make_shared<View>(), Renderer::Part::kOwn);
  EXPECT_THAT(text, HasSubstr("# TYPE oppetid_agent_up gauge\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE oppetid_check_state gauge\n"));
  EXPECT_THAT(text, Not(HasSubstr("} ")));
  EXPECT_EQ(Render(std::make_shared<View>(), Renderer::Part::kCarried), "");
}

// A view of many hosts, larger than many chunks.
std::shared_ptr<View> LargeView(int hosts, int series) {
  auto view = std::make_shared<View>();
  view->at = kViewAt;
  for (int h = 0; h < hosts; ++h) {
    auto agent = std::make_shared<AgentView>();
    agent->municipality = "m" + std::to_string(h % 3);
    agent->host = "host" + std::to_string(h);
    agent->up = true;
    Dictionary dictionary(agent->municipality, agent->host, {"disk", "exporter"});
    uint64_t dropped = 0;
    v1::SampleSet own, carried;
    own.set_check(0);
    carried.set_check(1);
    for (int i = 1; i <= series; ++i) {
      const auto id = static_cast<uint32_t>(i);
      const bool foreign = i % 2 == 0;
      const std::string number = std::to_string(i);
      EXPECT_EQ(dictionary.Define(
                    foreign ? Definition(id, "foreign" + number, {"n", number}, 1, true)
                            : Definition(
                                  id, i % 3 == 0 ? "host_filesystem_size" : "host_filesystem_avail",
                                  {"mountpoint", "/" + number}),
                    &dropped),
                kAccepted);
      v1::SampleSet& set = foreign ? carried : own;
      set.add_series(id);
      set.add_values(i + h / 1000.0);
    }
    for (const auto& [name, set] : {std::pair("disk", own), std::pair("exporter", carried)}) {
      CheckView check;
      check.check = name;
      check.samples = LaidOut(dictionary, set, kViewAt + Millis(1));
      agent->checks.push_back(check);
    }
    view->agents.push_back(agent);
  }
  return view;
}

TEST(Exposition, GivesTheSameBytesInChunks) {
  const auto view = LargeView(60, 400);
  for (const auto part : {Renderer::Part::kOwn, Renderer::Part::kCarried}) {
    Renderer apart(view, part, "", Reach::All()), together(view, part, "", Reach::All());
    std::string pieces, whole;
    size_t chunks = 0;
    for (std::string chunk; apart.Next(&chunk); chunk.clear(), ++chunks) {
      // A chunk ends after the block that fills it: 400 lines of this view at most.
      EXPECT_LT(chunk.size(), Renderer::kChunkBytes + 400 * 200);
      EXPECT_EQ(chunk.back(), '\n');
      pieces += chunk;
    }
    EXPECT_GT(chunks, 3U);
    while (together.Next(&whole)) {
    }
    EXPECT_EQ(pieces, whole);
    // The boundaries fall elsewhere when there is a head; the text must not change.
    for (const size_t head : {1U, 1000U, 255'999U, 256'000U, 300'000U}) {
      if (part == Renderer::Part::kCarried) break;
      const std::string text(head, 'h');
      EXPECT_EQ(Render(view, part, "", text), text + whole) << head;
    }
  }
}

TEST(Exposition, PrintsEachFamilyAndSeriesOnce) {
  const std::string text = Render(LargeView(20, 50), Renderer::Part::kOwn);
  std::istringstream lines(text);
  std::map<std::string, int> seen;
  size_t samples = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string key = line[0] == '#' ? line : line.substr(0, line.rfind(' '));
    EXPECT_EQ(++seen[key], 1) << line;
    if (line.starts_with("host_filesystem_")) ++samples;
  }
  EXPECT_EQ(samples, 20U * 25U);
}

TEST(Exposition, PrintsValuesThatReadBackTheSame) {
  EXPECT_EQ(Value(0), "0");
  EXPECT_EQ(Value(-0.5), "-0.5");
  EXPECT_EQ(Value(kInf), "+Inf");
  EXPECT_EQ(Value(-kInf), "-Inf");
  for (const double value : {1.0 / 3, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 1783072800.123,
                             123456789012345680.0, -1e-300}) {
    EXPECT_EQ(Parse(Value(value)), value) << Value(value);
  }
}

// The same families and values through prometheus-cpp's serializer.
std::string Serialised(const std::vector<double>& values, const std::string& label) {
  prometheus::MetricFamily family;
  family.name = "x";
  family.help = "Help.";
  family.type = prometheus::MetricType::Gauge;
  for (size_t i = 0; i < values.size(); ++i) {
    prometheus::ClientMetric metric;
    metric.label = {{"municipality", "vik"},
                    {"host", "srv1"},
                    {"check", "c"},
                    {"l", label},
                    {"n", std::to_string(100 + i)}};
    metric.gauge.value = values[i];
    family.metric.push_back(metric);
  }
  return prometheus::TextSerializer().Serialize({family});
}

TEST(Exposition, PrintsWhatPrometheusCppPrints) {
  const std::vector<double> values = {
      0,    1,     -1,      0.1, 1e6,  1e21, 1e-9,      5e-324,      1.5e308, 1783072800.123,
      kInf, -kInf, 1.0 / 3, 256, -0.0, 1e15, 123456789, std::nan("")};
  const std::string label = "a\\b\"c\nd\té {},= \\n";
  Dictionary dictionary("vik", "srv1", {"c"});
  uint64_t dropped = 0;
  v1::SampleSet set;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto id = static_cast<uint32_t>(i + 1);
    ASSERT_EQ(
        dictionary.Define(Definition(id, "x", {"l", label, "n", std::to_string(100 + i)}, 0, true),
                          &dropped),
        kAccepted);
    set.add_series(id);
    set.add_values(values[i]);
  }
  auto view = std::make_shared<View>();
  view->at = kViewAt;
  auto agent = std::make_shared<AgentView>();
  agent->up = true;
  agent->checks.emplace_back();
  agent->checks[0].samples = LaidOut(dictionary, set, kViewAt + Millis(1));
  view->agents.push_back(agent);
  // prometheus-cpp prints a series of values {a="…",…} in the order given, and the help first.
  std::istringstream ours(Render(view, Renderer::Part::kCarried));
  std::istringstream theirs(Serialised(values, label));
  std::string our_line, their_line;
  std::getline(theirs, their_line);
  EXPECT_EQ(their_line, "# HELP x Help.");
  std::getline(theirs, their_line);
  EXPECT_EQ(their_line, "# TYPE x gauge");
  size_t lines = 0;
  for (; std::getline(ours, our_line); ++lines) {
    ASSERT_TRUE(std::getline(theirs, their_line));
    const size_t our_space = our_line.rfind(' '), their_space = their_line.rfind(' ');
    EXPECT_EQ(our_line.substr(0, our_space), their_line.substr(0, their_space));
    const std::string our_value = our_line.substr(our_space + 1);
    const std::string their_value = their_line.substr(their_space + 1);
    if (std::isfinite(Parse(our_value))) {
      // They print sixteen digits, we as many as it takes.
      EXPECT_NEAR(Parse(our_value), Parse(their_value), std::abs(Parse(our_value)) * 1e-15)
          << our_value << " and " << their_value;
    } else {
      EXPECT_EQ(our_value, their_value);
    }
  }
  EXPECT_EQ(lines, values.size());
  EXPECT_FALSE(std::getline(theirs, their_line));
}

TEST(Counters, SerializeWhatWasCounted) {
  const ManualClock clock(kViewAt);
  Counters counters(clock);
  counters.frames.Increment();
  counters.Reject("metric_name", "srv1", "x", 3);
  counters.Reject("metric_name", "srv2");
  const std::string text = counters.Serialize();
  EXPECT_THAT(text, HasSubstr("oppetid_collector_frames_total 1\n"));
  EXPECT_THAT(text, HasSubstr("oppetid_collector_rejected_total{reason=\"metric_name\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1783072800\n"));
  EXPECT_THAT(text, HasSubstr("process_open_fds "));
}

}  // namespace
}  // namespace oppetid::collector
