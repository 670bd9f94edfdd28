#include "agent/sensors/exposition_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "agent/sensors/series_filter.h"
#include "common/file.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::vector<ExpositionSeries> All(const std::string& text, size_t* invalid = nullptr) {
  std::vector<ExpositionSeries> all;
  ExpositionParser parser(text);
  ExpositionSeries series;
  while (parser.Next(series)) all.push_back(series);
  if (invalid != nullptr) *invalid = parser.invalid_lines();
  return all;
}

TEST(Exposition, ReadsTheFormatsOwnExample) {
  size_t invalid = 9;
  const auto all = All(R"(# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

rpc_duration_seconds{quantile="0.01"} 3102
)",
                       &invalid);
  EXPECT_EQ(invalid, 0u);
  ASSERT_THAT(all, SizeIs(6));
  EXPECT_EQ(all[0].name, "http_requests_total");
  EXPECT_EQ(all[0].value, 1027);
  EXPECT_THAT(all[0].labels, ElementsAre(Pair("code", "200"), Pair("method", "post")));
  EXPECT_THAT(all[2].labels, ElementsAre(Pair("error", "Cannot find file:\n\"FILE.TXT\""),
                                         Pair("path", "C:\\DIR\\FILE.TXT")));
  EXPECT_EQ(all[3].value, 12.47);
  EXPECT_EQ(all[4].value, std::numeric_limits<double>::infinity());
}

TEST(Exposition, ToleratesHarmlessDifferences) {
  const char* lines[] = {
      "a 1",
      "  a\t1  ",
      "a{} 1",
      "a{}1",
      "a {b=\"c\"} 1",
      "a{ b = \"c\" , } 1",
      "a 1\r",
      "a 1 1395066363000",
      "a 1 1395066363.123",
      "a_bucket{le=\"1\"} 1 # {trace_id=\"KOO5S4vxi0o\"} 0.67",
      "a_bucket{le=\"1\"} 1 1520879607.789 # {trace_id=\"x\"} 0.67 1520879607.7",
      "a{b=\"C:\\Windows\"} 1",
      ":a:b 1",
      "a 1e3",
      "a .5",
      "a +1",
  };
  for (const char* line : lines) {
    EXPECT_THAT(All(std::string(line) + "\n# EOF\n"), SizeIs(1)) << line;
  }
  EXPECT_THAT(All("a{b=\"C:\\Windows\"} 1")[0].labels, ElementsAre(Pair("b", "C:\\Windows")));
  EXPECT_THAT(All("a{b=\"\",c=\"d\"} 1")[0].labels, ElementsAre(Pair("c", "d")));
  EXPECT_TRUE(std::isnan(All("a NaN")[0].value));
  EXPECT_EQ(All("a -Inf")[0].value, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(All("a -inf")[0].value, -std::numeric_limits<double>::infinity());
}

TEST(Exposition, CountsWhatIsNoSeries) {
  const std::string megabyte(1'000'000, 'x');
  const std::string lines[] = {
      "1a 1",
      "a",
      "a ",
      "a x",
      "a 1 x",
      "a 1 2 3",
      "a 0x10",
      "a nan(0)",
      "a 1e999",
      "a 1,5",
      "a +-1",
      "a{",
      "a{b",
      "a{b=",
      "a{b=\"",
      "a{b=\"c",
      "a{b=\"c\"",
      "a{b=\"c\"d=\"e\"} 1",
      "a{b=c} 1",
      "a{1b=\"c\"} 1",
      "a{b:c=\"d\"} 1",
      "a{,} 1",
      "a{b=\"c\",b=\"d\"} 1",
      "a{b=\"c\\\"} 1",
      "a{b=\"\xff\"} 1",
      "a{b=\"\xed\xa0\x80\"} 1",
      "\xc3\xa6 1",
      "<html>",
      "a{b=\"" + megabyte + "\"} 1",
      "a{" + megabyte + "=\"b\"} 1",
      megabyte + " 1",
      megabyte,
      std::string(1'000'000, '{'),
      std::string(1'000'000, '"'),
      std::string("a\0b 1", 5),
  };
  for (const std::string& line : lines) {
    size_t invalid = 0;
    EXPECT_THAT(All("before 1\n" + line + "\nafter 2\n", &invalid), SizeIs(2))
        << line.substr(0, 80);
    EXPECT_EQ(invalid, 1u) << line.substr(0, 80);
  }
}

TEST(Exposition, LabelsAreBounded) {
  const auto with_labels = [](size_t count) {
    std::string line = "a{";
    for (size_t i = 0; i < count; ++i) line += "l" + std::to_string(i) + "=\"v\",";
    return line + "} 1";
  };
  EXPECT_THAT(All(with_labels(kMaxSeriesLabels)), SizeIs(1));
  EXPECT_THAT(All(with_labels(kMaxSeriesLabels + 1)), IsEmpty());
  EXPECT_THAT(All("a{b=\"" + std::string(kMaxLabelValueBytes, 'x') + "\"} 1"), SizeIs(1));
  EXPECT_THAT(All("a{b=\"" + std::string(kMaxLabelValueBytes + 1, 'x') + "\"} 1"), IsEmpty());
}

TEST(Exposition, WindowsExporter) {
  const auto old = ReadFile(OPPETID_SOURCE_DIR "/tests/testdata/windows_exporter_0.15.txt");
  ASSERT_TRUE(old.ok());
  size_t invalid = 9;
  const auto before = All(*old, &invalid);
  EXPECT_EQ(invalid, 0u);
  ASSERT_THAT(before, SizeIs(28));
  EXPECT_EQ(before[9].name, "windows_cpu_processor_performance");
  EXPECT_THAT(before[9].labels, ElementsAre(Pair("core", "0,0")));
  EXPECT_EQ(before[9].value, 101746147825);
  // With families that have no series, and an escaped backslash before a quote in a comment.
  const auto text = ReadFile(OPPETID_SOURCE_DIR "/tests/testdata/windows_exporter_0.31.txt");
  ASSERT_TRUE(text.ok());
  const auto all = All(*text, &invalid);
  EXPECT_EQ(invalid, 0u);
  ASSERT_THAT(all, SizeIs(23));
  EXPECT_EQ(all[10].name, "windows_service_info");
  EXPECT_THAT(
      all[10].labels,
      testing::Contains(Pair("path_name", "C:\\Windows\\System32\\svchost.exe -k netsvcs -p")));
}

// --- The filter ---------------------------------------------------------------------------------

class FilterTest : public testing::Test {
 protected:
  static Carried Read(const std::string& text, const std::string& yaml = "{}",
                      size_t limit = 1000) {
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    SeriesFilter filter;
    filter.keep = ReadPatterns(map, "keep");
    filter.drop = ReadPatterns(map, "drop");
    filter.limit = limit;
    EXPECT_THAT(faults.lines(), IsEmpty());
    return filter.Read(text);
  }

  static std::vector<std::string> Names(const Carried& carried) {
    std::vector<std::string> names;
    for (const Sample& sample : carried.series) names.push_back(sample.family);
    return names;
  }
};

TEST_F(FilterTest, KeepAndDropSeeTheName) {
  const std::string text = "node_a 1\nnode_b 1\ngo_a 1\nnode_a{c=\"d\"} 1\n";
  EXPECT_THAT(Names(Read(text)), SizeIs(4));
  EXPECT_THAT(Names(Read(text, "{keep: ['^node_']}")), ElementsAre("node_a", "node_b", "node_a"));
  EXPECT_THAT(Names(Read(text, "{keep: ['^node_'], drop: ['_b$']}")),
              ElementsAre("node_a", "node_a"));
  EXPECT_THAT(Names(Read(text, "{drop: ['^node_', nothing]}")), ElementsAre("go_a"));
  EXPECT_EQ(Read(text, "{keep: ['^node_']}").dropped, 0u) << "not wanted is not lost";
}

TEST_F(FilterTest, OurOwnNamesAreDropped) {
  const Carried carried = Read(
      "oppetid_agent_up 1\nhost_load1 1\nbackup_x 1\nhttp_status_code 200\nprobe_success 1\nx 1\n");
  EXPECT_THAT(Names(carried), ElementsAre("x"));
  EXPECT_EQ(carried.dropped, 5u);
}

TEST_F(FilterTest, LabelsOfTheCertificateAreTakenAway) {
  const Carried carried = Read(
      "x{municipality=\"oslo\",host=\"h\",room=\"r\",check=\"c\",__name__=\"y\",hosts=\"z\"} 1\n");
  ASSERT_THAT(carried.series, SizeIs(1));
  EXPECT_THAT(carried.series[0].labels, ElementsAre(Pair("hosts", "z")));
}

TEST_F(FilterTest, ASeriesComesOnce) {
  const Carried carried = Read(
      "x{a=\"1\",b=\"2\"} 1\nx{b=\"2\",a=\"1\"} 2\nx{a=\"1\"} 3\ny{host=\"a\"} 1\n"
      "y{host=\"b\"} 2\n");
  EXPECT_THAT(Names(carried), ElementsAre("x", "x", "y"));
  EXPECT_EQ(carried.series[0].value, 1);
  EXPECT_EQ(carried.dropped, 2u);
}

TEST_F(FilterTest, TheLimitKeepsTheFirst) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "x{i=\"" + std::to_string(i) + "\"} 1\n";
  text += "x{i=\"0\"} 1\n";  // there already: not a matter of the limit
  const Carried carried = Read(text, "{}", 10);
  EXPECT_THAT(carried.series, SizeIs(10));
  EXPECT_EQ(carried.series[9].labels[0].second, "9");
  EXPECT_EQ(carried.over_limit, 99'990u);
  EXPECT_EQ(carried.dropped, 1u);
  EXPECT_EQ(Read("x 1\nx 2\n", "{}", 1).over_limit, 0u);
}

TEST_F(FilterTest, KnowsWhatIsNoExposition) {
  EXPECT_TRUE(Read("<html>\n<body>Logg inn</body>\n</html>\n").not_exposition);
  EXPECT_FALSE(Read("").not_exposition);
  EXPECT_FALSE(Read("# EOF\n").not_exposition);
  EXPECT_FALSE(Read("<html>\nx 1\n").not_exposition);
  EXPECT_EQ(Read("<html>\nx 1\n").dropped, 1u);
}

}  // namespace
}  // namespace oppetid::agent
