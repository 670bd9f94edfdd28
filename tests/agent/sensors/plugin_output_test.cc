#include "agent/sensors/plugin_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/text.h"

namespace oppetid::agent {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// The one value of `data`, or one without a label.
PluginValue One(const std::string& data) {
  const PluginOutput output = ParsePluginOutput("OK|" + data);
  return output.values.size() == 1 ? output.values.front() : PluginValue{};
}

TEST(PluginOutput, SplitsTextLongTextAndPerformanceData) {
  const PluginOutput output = ParsePluginOutput(
      "DISK OK - free space | /=2643MB;5948;5958;0;5968\n"
      "/ 15272 MB (77%);\n/boot 68 MB (69%); | /boot=68MB;88;93;0;98\n/home=69357MB\n");
  EXPECT_EQ(output.text, "DISK OK - free space");
  ASSERT_THAT(output.values, SizeIs(3));
  EXPECT_EQ(output.values[0].label, "/");
  EXPECT_EQ(output.values[1].label, "/boot");
  EXPECT_EQ(output.values[2].label, "/home");
  EXPECT_DOUBLE_EQ(output.values[2].value, 69357e6);
  EXPECT_EQ(output.ignored, 0u);
}

TEST(PluginOutput, UnitsBecomeBaseUnits) {
  const struct {
    const char* written;
    const char* unit;
    double value;
  } cases[] = {
      {"5", "", 5},
      {"5s", "seconds", 5},
      {"5ms", "seconds", 0.005},
      {"5us", "seconds", 5e-6},
      {"5ns", "seconds", 5e-9},
      {"5%", "ratio", 0.05},
      {"5c", "count", 5},
      {"5B", "bytes", 5},
      {"5KB", "bytes", 5e3},
      {"5kB", "bytes", 5e3},
      {"5MB", "bytes", 5e6},
      {"5GB", "bytes", 5e9},
      {"5TB", "bytes", 5e12},
      {"5MiB", "bytes", 5.0 * 1048576},
      {"5C", "C", 5},
      {"-5.5V", "V", -5.5},
      {"+.5", "", 0.5},
      {"1e3", "", 1000},
      {"5°C", "°C", 5},
      {"5req/s", "req/s", 5},
  };
  for (const auto& c : cases) {
    const PluginValue value = One(std::string("x=") + c.written);
    EXPECT_EQ(value.label, "x") << c.written;
    EXPECT_EQ(value.unit, c.unit) << c.written;
    EXPECT_DOUBLE_EQ(value.value, c.value) << c.written;
  }
}

TEST(PluginOutput, ThresholdsAreScaledWithTheirValue) {
  const PluginValue value = One("time=12ms;100;200:300;0;1000");
  EXPECT_DOUBLE_EQ(value.warning.upper.value(), 0.1);
  EXPECT_FALSE(value.warning.lower);
  EXPECT_DOUBLE_EQ(value.critical.lower.value(), 0.2);
  EXPECT_DOUBLE_EQ(value.critical.upper.value(), 0.3);
}

TEST(PluginOutput, RangesAsTheGuidelinesHaveThem) {
  const auto ten = ParsePluginRange("10");
  EXPECT_FALSE(ten->lower);
  EXPECT_EQ(ten->upper, 10);
  EXPECT_EQ(ParsePluginRange("10:")->lower, 10);
  EXPECT_FALSE(ParsePluginRange("10:")->upper);
  EXPECT_FALSE(ParsePluginRange("~:10")->lower);
  EXPECT_EQ(ParsePluginRange("~:10")->upper, 10);
  EXPECT_EQ(ParsePluginRange("-10:20")->lower, -10);
  const auto within = ParsePluginRange("@10:20");
  EXPECT_TRUE(within->inside);
  EXPECT_EQ(within->lower, 10);
  EXPECT_EQ(within->upper, 20);
  EXPECT_FALSE(ParsePluginRange("")->upper);
  for (const char* odd : {"x", "10:x", "1,5", "20:10", "@", "1:2:3", "inf", "nan", "1 "}) {
    EXPECT_FALSE(ParsePluginRange(odd)) << odd;
  }
}

TEST(PluginOutput, QuotedLabels) {
  const PluginOutput output = ParsePluginOutput("OK | 'C:\\ used'=5% 'it''s a=b'=1 ''''=2 plain=3");
  ASSERT_THAT(output.values, SizeIs(4));
  EXPECT_EQ(output.values[0].label, "C:\\ used");
  EXPECT_EQ(output.values[1].label, "it's a=b");
  EXPECT_EQ(output.values[2].label, "'");
  EXPECT_EQ(output.values[3].label, "plain");
}

TEST(PluginOutput, OddPiecesAreCountedAndCostOnlyThemselves) {
  const PluginOutput output =
      ParsePluginOutput("OK|a=1 b=0,5 c 'd e f=1 =2 ''=3 g=inf h=1;2;3;4;5;6 a=9 i=1e999 j=nan");
  ASSERT_THAT(output.values, SizeIs(1));  // an unterminated quote takes the rest with it
  EXPECT_EQ(output.ignored, 3u);
  const PluginOutput more =
      ParsePluginOutput("OK|=2 ''=3 g=inf h=1;2;3;4;5;6 i=1e999 j=nan k=0x10 l=1;2,5;3 l=9 m=1ms2");
  ASSERT_THAT(more.values, SizeIs(1));
  EXPECT_EQ(more.values[0].label, "l");
  EXPECT_FALSE(more.values[0].warning.upper);  // "2,5"
  EXPECT_EQ(more.values[0].critical.upper, 3);
  EXPECT_EQ(more.ignored, 9u);
}

TEST(PluginOutput, UndeterminedValuesAreNeitherValuesNorOdd) {
  const PluginOutput output = ParsePluginOutput("OK|a=U b=U;1;2 c=1");
  EXPECT_THAT(output.values, SizeIs(1));
  EXPECT_EQ(output.ignored, 0u);
}

TEST(PluginOutput, NoPerformanceDataIsNone) {
  EXPECT_THAT(ParsePluginOutput("").text, IsEmpty());
  EXPECT_THAT(ParsePluginOutput("OK - a=b").values, IsEmpty());
  EXPECT_EQ(ParsePluginOutput("OK - a=b |").ignored, 0u);
  EXPECT_EQ(ParsePluginOutput("\nsecond line").text, "");
}

TEST(PluginOutput, IsBounded) {
  std::string text = "OK|";
  for (int i = 0; i < 1000; ++i) text += "v" + std::to_string(i) + "=1 ";
  const PluginOutput output = ParsePluginOutput(text);
  EXPECT_THAT(output.values, SizeIs(kMaxPluginValues));
  EXPECT_EQ(output.ignored, 1000 - kMaxPluginValues);

  const PluginValue longest = One("'" + std::string(1'000'000, 'x') + "'=1");
  EXPECT_EQ(longest.label.size(), kMaxPluginLabelBytes);
  EXPECT_EQ(ParsePluginOutput(std::string(1'000'000, '\'')).text.size(), 256u);
}

}  // namespace
}  // namespace oppetid::agent
