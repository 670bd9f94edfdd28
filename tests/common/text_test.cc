#include "common/text.h"

#include <gtest/gtest.h>

#include "common/log.h"

namespace oppetid {
namespace {

TEST(IsUtf8, KnowsRfc3629) {
  EXPECT_TRUE(IsUtf8("blåbær \xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xC0\x80"));          // overlong
  EXPECT_FALSE(IsUtf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(IsUtf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(IsUtf8("\xE2\x82"));          // cut short
  EXPECT_FALSE(IsUtf8("\xFF"));
}

TEST(OneLine, DropsControlCharactersAndFurtherLines) {
  EXPECT_EQ(OneLine("a\x1b[31mb\tc\nsecond"), "a [31mb c");
  EXPECT_EQ(OneLine("x\xC2\x9By"), "x y");  // a C1 control sequence introducer
  EXPECT_EQ(OneLine("\xFFz"), "\xEF\xBF\xBDz");
}

TEST(OneLine, NeverCutsACodePointInTwo) {
  EXPECT_EQ(OneLine("aå", 2), "a");
  EXPECT_EQ(OneLine(std::string(1'000'000, 'x')).size(), 256u);
}

TEST(DidYouMean, FindsTheNearWord) {
  EXPECT_EQ(DidYouMean("intervall", {"interval", "retain"}), " (did you mean `interval`?)");
  EXPECT_EQ(DidYouMean("zzzzzz", {"interval", "retain"}), "");
}

TEST(Ids, AllowWhatHostsAreCalled) {
  EXPECT_TRUE(IsId("mail01.vennesla"));
  for (const char* bad : {"", "-a", "a-", "A", "a b", "a/b", "å"}) EXPECT_FALSE(IsId(bad)) << bad;
  EXPECT_TRUE(IsCheckName("gw-vennesla"));
  for (const char* bad : {"", "a/b", "a b", "-a", "a\n"}) EXPECT_FALSE(IsCheckName(bad)) << bad;
}

TEST(JsonQuote, EscapesWhatRfc8259Names) {
  EXPECT_EQ(JsonQuote("a\"\\\n\x01å"), "\"a\\\"\\\\\\n\\u0001å\"");
}

TEST(FormatLogLine, CannotBeForged) {
  EXPECT_EQ(FormatLogLine(FromUnixMillis(0), "info", "agent refused",
                          {{"host", "a b\nlevel=error"}, {"n", 3}}),
            "ts=1970-01-01T00:00:00.000Z level=info msg=\"agent refused\" host=\"a b\" n=3");
}

}  // namespace
}  // namespace oppetid
