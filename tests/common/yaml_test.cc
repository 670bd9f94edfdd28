#include "common/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(YamlMap, ReadsValuesWithTheirRanges) {
  Faults faults("f.yaml");
  const Yaml root =
      ParseYaml("every: 15s\nlimit: 256MB\nshare: 99.95 %\nstatus: [200, 204]\nn: 7\n", faults);
  YamlMap map(root, faults);
  EXPECT_EQ(map.Duration("every", Millis(1), Millis(100'000)), Millis(15'000));
  EXPECT_EQ(map.Bytes("limit", 0, 1'000'000'000, 0), 256'000'000);
  EXPECT_EQ(map.PercentOf("share")->millionths, 99'950'000);
  EXPECT_THAT(map.Strings("status"), ElementsAre("200", "204"));
  EXPECT_EQ(map.Int("n", 0, 10), 7);
  EXPECT_EQ(map.Int("absent", 0, 10), std::nullopt);
  map.Finish();
  EXPECT_THAT(faults.lines(), IsEmpty());
}

TEST(YamlMap, TellsEveryFaultWithItsPlace) {
  Faults faults("f.yaml");
  const Yaml root = ParseYaml("every: 15 hours\nintervall: 3s\nn: 70\n", faults);
  YamlMap map(root, faults);
  map.Duration("every", Millis(1), Millis(100'000));
  map.Duration("interval", Millis(1), Millis(100'000));
  map.Int("n", 0, 10);
  map.Finish();
  EXPECT_THAT(
      faults.lines(),
      ElementsAre(HasSubstr("f.yaml:1:8: `every`: `15 hours` is not a duration"),
                  HasSubstr("f.yaml:3:4: `n`: `70` is not a whole number from 0 to 10"),
                  HasSubstr("f.yaml:2:12: unknown key `intervall` (did you mean `interval`?)")));
}

TEST(ParseYaml, RefusesWhatHidesMistakes) {
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"a: 1\na: 2\n", "stands twice"},
           {"a: &x 1\nb: *x\n", "anchor"},
           {"a: !!str 1\n", "tag"},
           {"a: [1\n", ""},
           {"---\na: 1\n---\nb: 2\n", "more than one document"},
           {std::string(100, '['), "nested too deep"}}) {
    Faults faults("f.yaml");
    EXPECT_EQ(ParseYaml(text, faults).kind, Yaml::Kind::kNull) << text;
    ASSERT_THAT(faults.lines(), testing::Not(IsEmpty())) << text;
    EXPECT_THAT(faults.lines().front(), HasSubstr(what));
  }
}

TEST(ParsePercent, IsExact) {
  EXPECT_EQ(ParsePercent("99.999999 %")->millionths, 99'999'999);
  EXPECT_EQ(ParsePercent("100%")->millionths, 100'000'000);
  for (const char* bad : {"", "%", "99", "100.000001 %", "1.1234567 %", "-1 %", "1. %", "1,5 %"}) {
    EXPECT_FALSE(ParsePercent(bad)) << bad;
  }
}

}  // namespace
}  // namespace oppetid
