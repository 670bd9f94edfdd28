#include "collector/dictionary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/limits.h"
#include "tests/support/views.h"

namespace oppetid::collector {
namespace {

using testing::StrEq;

constexpr double kInf = std::numeric_limits<double>::infinity();

// A dictionary of one host with two checks, "cpu" and "exporter".
class DictionaryTest : public testing::Test {
 protected:
  std::string Define(const v1::SeriesDefinition& definition) {
    const Reason reason = dictionary_.Define(definition, &dropped_);
    return reason == kAccepted ? "" : reason;
  }
  std::string Lay(const v1::SampleSet& set, const SampleBlock* previous = nullptr) {
    const Reason reason = dictionary_.Lay(set, previous, kViewAt, &block_, &dropped_values_);
    return reason == kAccepted ? "" : reason;
  }
  // The series and values of the block, in the order they are printed.
  std::vector<std::string> Printed() const {
    std::vector<std::string> lines;
    const Layout& layout = *block_->layout;
    for (size_t i = 0; i < layout.series.size(); ++i) {
      lines.push_back(layout.series[i]->prefix + std::to_string(block_->values[layout.order[i]]));
    }
    return lines;
  }

  Dictionary dictionary_{"vik", "srv1", {"cpu", "exporter"}};
  uint64_t dropped_ = 0, dropped_values_ = 0;
  std::shared_ptr<const SampleBlock> block_;
};

std::vector<std::string> ManyLabels(size_t pairs) {
  std::vector<std::string> labels;
  for (size_t i = 0; i < pairs; ++i) {
    labels.push_back("l" + std::to_string(100 + i));
    labels.emplace_back("v");
  }
  return labels;
}

TEST_F(DictionaryTest, RefusesADefinitionForItsReason) {
  const std::string longest(limits::kNameBytes, 'a');
  const std::string megabyte(1'000'000, 'x');
  const struct {
    v1::SeriesDefinition definition;
    const char* reason;
  } kCases[] = {
      {Definition(0, "host_load5"), "series_id"},
      {Definition(limits::kSeriesId + 1, "host_load5"), "series_id"},
      {Definition(UINT32_MAX, "host_load5"), "series_id"},
      {Definition(2, "host_load5", {}, 2), "check_index"},
      {Definition(2, "host_load5", {}, UINT32_MAX), "check_index"},
      {Definition(1, "host_load5"), "series_redefined"},
      {Definition(2, "host_load1"), "series_twice"},
      {Definition(2, ""), "metric_name"},
      {Definition(2, "0load"), "metric_name"},
      {Definition(2, "load 1", {}, 1, true), "metric_name"},
      {Definition(2, "load\n", {}, 1, true), "metric_name"},
      {Definition(2, "lød", {}, 1, true), "metric_name"},
      {Definition(2, longest + "a", {}, 1, true), "metric_name"},
      {Definition(2, "x", {"odd"}, 1, true), "label_pairs"},
      {Definition(2, "x", ManyLabels(limits::kLabels + 1), 1, true), "too_many_labels"},
      {Definition(2, "oppetid_agent_up", {}, 1, true), "reserved_name"},
      {Definition(2, "oppetid_anything", {}, 1, true), "reserved_name"},
      {Definition(2, "host_load1", {}, 1, true), "reserved_name"},
      {Definition(2, "probe_x", {}, 1, true), "reserved_name"},
      {Definition(2, "process_count", {}, 1, true), "reserved_name"},
      {Definition(2, "oppetid_check_state"), "unknown_family"},
      {Definition(2, "windows_cpu"), "unknown_family"},
      {Definition(2, "x", {"a:b", "v"}, 1, true), "label_name"},
      {Definition(2, "x", {"", "v"}, 1, true), "label_name"},
      {Definition(2, "x", {"9", "v"}, 1, true), "label_name"},
      {Definition(2, "x", {"__name__", "v"}, 1, true), "label_name"},
      {Definition(2, "x", {"a\"b", "v"}, 1, true), "label_name"},
      {Definition(2, "x", {"b", "v", "a", "v"}, 1, true), "label_order"},
      {Definition(2, "x", {"a", "v", "a", "w"}, 1, true), "label_order"},
      {Definition(2, "x", {"host", "v", "host", "w"}, 1, true), "label_order"},
      {Definition(2, "x", {"a", megabyte}, 1, true), "label_too_long"},
      {Definition(2, "x", {"a", std::string(limits::kLabelValueBytes + 1, 'x')}, 1, true),
       "label_too_long"},
      {Definition(2, "x", {"a", "\xff"}, 1, true), "label_utf8"},
      {Definition(2, "x", {"a", "\xed\xa0\x80"}, 1, true), "label_utf8"},
      {Definition(2, "host_load5", {"colour", "red"}), "unknown_label"},
      {Definition(2, "host_cpu_seconds_total", {"mod", "idle"}), "unknown_label"},
  };
  for (const auto& test : kCases) {
    dictionary_.Reset();
    ASSERT_EQ(Define(Definition(1, "host_load1")), "");
    EXPECT_EQ(Define(test.definition), test.reason)
        << test.definition.ShortDebugString().substr(0, 200);
    EXPECT_EQ(dictionary_.size(), 1U) << "a refusal adds nothing";
  }
  dictionary_.Reset();
  EXPECT_EQ(Define(Definition(2, longest, ManyLabels(limits::kLabels), 1, true)), "");
  EXPECT_EQ(Define(Definition(limits::kSeriesId, "y",
                              {"a", std::string(limits::kLabelValueBytes, 'x')}, 1, true)),
            "");
}

TEST_F(DictionaryTest, RefusesMoreSeriesThanTheLimit) {
  for (uint32_t i = 1; i <= limits::kSeries; ++i) {
    ASSERT_EQ(Define(Definition(i, "x", {"n", std::to_string(i)}, 1, true)), "");
  }
  EXPECT_EQ(Define(Definition(limits::kSeries + 1, "y", {}, 1, true)), "too_many_series");
  dictionary_.Reset();
  EXPECT_EQ(Define(Definition(1, "y", {}, 1, true)), "");
}

TEST_F(DictionaryTest, DropsLabelsThatSayWhoseASeriesIs) {
  ASSERT_EQ(Define(Definition(
                1, "x", {"check", "a", "host", "b", "k", "v", "municipality", "c", "room", "d"}, 1,
                true)),
            "");
  EXPECT_EQ(dropped_, 4U);
  ASSERT_EQ(Lay(Samples(1, {{1, 2}})), "");
  EXPECT_THAT(Printed(),
              testing::ElementsAre(
                  "x{municipality=\"vik\",host=\"srv1\",check=\"exporter\",k=\"v\"} 2.000000"));
}

TEST_F(DictionaryTest, KeepsTheRoomOfARoomsOwnSensors) {
  ASSERT_EQ(Define(Definition(1, "room_temperature_celsius", {"room", "cellar", "sensor", "rack"})),
            "");
  EXPECT_EQ(dropped_, 0U);
  ASSERT_EQ(Lay(Samples(0, {{1, 21}})), "");
  EXPECT_THAT(Printed(), testing::ElementsAre(
                             "room_temperature_celsius{municipality=\"vik\",host=\"srv1\",check="
                             "\"cpu\",room=\"cellar\",sensor=\"rack\"} 21.000000"));
}

TEST_F(DictionaryTest, ARefusedSeriesCostsNoOther) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Define(Definition(2, "host_load1", {}, 1)), "series_twice");
  ASSERT_EQ(Define(Definition(3, "http_status_code", {}, 1)), "");
  ASSERT_EQ(Lay(Samples(1, {{2, 1}, {3, 200}})), "");
  EXPECT_THAT(Printed(), testing::ElementsAre("http_status_code{municipality=\"vik\",host=\"srv1\","
                                              "check=\"exporter\"} 200.000000"));
  EXPECT_EQ(Define(Definition(2, "host_load5", {}, 1)), "series_redefined") << "until a reset";
}

TEST_F(DictionaryTest, EscapesLabelValues) {
  EXPECT_EQ(EscapeLabelValue("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
  ASSERT_EQ(Define(Definition(1, "x", {"p", "C:\\\n\"å\""}, 1, true)), "");
  ASSERT_EQ(Lay(Samples(1, {{1, 0}})), "");
  EXPECT_THAT(block_->layout->series[0]->prefix, testing::HasSubstr("p=\"C:\\\\\\n\\\"å\\\"\"} "));
}

TEST_F(DictionaryTest, NamesTheCheckOnlyWhereAFamilyIsPerCheck) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Define(Definition(2, "http_status_code")), "");
  ASSERT_EQ(Lay(Samples(0, {{2, 200}, {1, 1}})), "");
  EXPECT_THAT(Printed(),
              testing::ElementsAre(
                  "host_load1{municipality=\"vik\",host=\"srv1\"} 1.000000",
                  "http_status_code{municipality=\"vik\",host=\"srv1\",check=\"cpu\"} 200.000000"));
}

TEST_F(DictionaryTest, SharesTheLayoutOfTheSameSeries) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Define(Definition(2, "host_load5")), "");
  ASSERT_EQ(Lay(Samples(0, {{2, 1}, {1, 2}})), "");
  const auto first = block_;
  ASSERT_EQ(Lay(Samples(0, {{2, 3}, {1, 4}}), first.get()), "");
  EXPECT_EQ(block_->layout, first->layout);
  EXPECT_THAT(block_->values, testing::ElementsAre(3, 4));
  ASSERT_EQ(Lay(Samples(0, {{1, 4}, {2, 3}}), first.get()), "");
  EXPECT_NE(block_->layout, first->layout) << "another order";
  ASSERT_EQ(Lay(Samples(0, {{2, 3}}), first.get()), "");
  EXPECT_NE(block_->layout, first->layout) << "fewer";
  EXPECT_THAT(Printed(),
              testing::ElementsAre("host_load5{municipality=\"vik\",host=\"srv1\"} 3.000000"));
}

TEST_F(DictionaryTest, PrintsOldBlocksAfterAReset) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Lay(Samples(0, {{1, 2}})), "");
  const auto old = block_;
  dictionary_.Reset();
  EXPECT_EQ(Lay(Samples(0, {{1, 2}}), old.get()), "undefined_series");
  ASSERT_EQ(Define(Definition(1, "host_load5")), "");
  ASSERT_EQ(Lay(Samples(0, {{1, 2}}), old.get()), "");
  EXPECT_THAT(block_->layout->series[0]->prefix, testing::HasSubstr("host_load5"));
  EXPECT_THAT(old->layout->series[0]->prefix, testing::HasSubstr("host_load1"));
}

TEST_F(DictionaryTest, RefusesSetsForTheirReason) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  v1::SampleSet columns = Samples(0, {{1, 2}});
  columns.add_values(3);
  EXPECT_EQ(Lay(columns), "columns");
  EXPECT_EQ(Lay(Samples(2, {})), "check_index");
  EXPECT_EQ(Lay(Samples(0, {{0, 1}})), "undefined_series");
  EXPECT_EQ(Lay(Samples(0, {{1, 1}, {2, 1}})), "undefined_series");
  EXPECT_EQ(Lay(Samples(0, {{UINT32_MAX, 1}})), "undefined_series");
  EXPECT_EQ(Lay(Samples(1, {{1, 1}})), "series_of_another_check");
  EXPECT_EQ(block_, nullptr);
  EXPECT_EQ(Lay(Samples(0, {})), "");
  EXPECT_EQ(block_->layout->series.size(), 0U);
}

TEST_F(DictionaryTest, DropsWhatIsNotFiniteOfOurOwnFamiliesOnly) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Define(Definition(2, "host_load5")), "");
  ASSERT_EQ(Define(Definition(3, "host_load15")), "");
  ASSERT_EQ(Lay(Samples(0, {{1, std::nan("")}, {2, kInf}, {3, 1}})), "");
  EXPECT_EQ(dropped_values_, 2U);
  EXPECT_THAT(Printed(),
              testing::ElementsAre("host_load15{municipality=\"vik\",host=\"srv1\"} 1.000000"));
  ASSERT_EQ(Define(Definition(4, "x", {}, 1, true)), "");
  ASSERT_EQ(Define(Definition(5, "y", {}, 1, true)), "");
  ASSERT_EQ(Lay(Samples(1, {{4, std::nan("")}, {5, -kInf}})), "");
  EXPECT_EQ(dropped_values_, 2U);
  EXPECT_EQ(Printed().size(), 2U);
  EXPECT_TRUE(std::isnan(block_->values[0]));
}

TEST_F(DictionaryTest, DropsASeriesNamedTwice) {
  ASSERT_EQ(Define(Definition(1, "host_load1")), "");
  ASSERT_EQ(Lay(Samples(0, {{1, 5}, {1, 6}})), "");
  EXPECT_EQ(dropped_values_, 1U);
  EXPECT_THAT(Printed(),
              testing::ElementsAre("host_load1{municipality=\"vik\",host=\"srv1\"} 5.000000"));
  const auto first = block_;
  ASSERT_EQ(Lay(Samples(0, {{1, 7}, {1, 8}}), first.get()), "");
  EXPECT_EQ(Printed().size(), 1U);
}

}  // namespace
}  // namespace oppetid::collector
