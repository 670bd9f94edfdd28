#include "agent/report_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oppetid::agent {
namespace {

using testing::HasSubstr;

TEST(ReportLineTest, WhatIsWrittenIsReadTheSame) {
  for (
      const char* line :
      {R"({"check":"raid","state":"warning","text":"en disk «borte»"})",
       R"({"job":"nightly","kind":"backup","state":"start"})",
       R"({"job":"nightly","kind":"backup","state":"success","bytes":734003200,"files":12,"exit_code":0})",
       R"({"job":"nightly","kind":"check","depth":"data","state":"fail","exit_code":1})",
       R"({"job":"nightly","kind":"restore_test","state":"success"})",
       R"({"job":"nightly","kind":"offsite","state":"fail"})"}) {
    const ParsedReport parsed = ParseReport(line);
    ASSERT_TRUE(parsed.report) << parsed.fault;
    EXPECT_EQ(FormatReport(*parsed.report), std::string(line) + "\n");
  }
  EXPECT_TRUE(ParseReport(R"({"job":"j","state":"start"})").report) << "a backup unless said";
}

TEST(ReportLineTest, WhatIsWrongIsSaid) {
  const struct {
    std::string line;
    const char* fault;
  } kCases[] = {
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"{}", "either `check` or `job`"},
      {R"({"check":"a","job":"b"})", "either `check` or `job`"},
      {R"({"check":"a b","state":"ok"})", "no name of a check"},
      {R"({"check":"a"})", "one of ok, warning, critical, unknown"},
      {R"({"check":"a","state":"OK"})", "one of ok, warning, critical, unknown"},
      {R"({"check":"a","state":"ok","text":1})", "`text` is a text"},
      {R"({"check":"a","state":"ok","txt":"x"})", "(did you mean `text`?)"},
      {R"({"job":"j","state":"done"})", "one of start, success, fail"},
      {R"({"job":"j","state":"start","kind":"check"})", "with a `depth`"},
      {R"({"job":"j","state":"start","kind":"backup","depth":"data"})", "with a `depth`"},
      {R"({"job":"j","state":"start","kind":7})", "`kind` is one of"},
      {R"({"job":"j","state":"success","bytes":-1})", "whole numbers"},
      {R"({"job":"j","state":"success","files":1.5})", "whole numbers"},
      {R"({"job":"j","state":"fail","exit_code":256})", "0 to 255"},
      {R"({"job":"j","state":"success","exit_code":1})", "no other `exit_code`"},
      {R"({"job":"j","state":"start","bytes":1})", "a start has no"},
      {R"({"job":"j","state":"start","owner":"x"})", "`owner` is not known"},
      {std::string(5000, ' '), "longer than 4096 bytes"},
      {std::string(1000, '['), "no JSON object"},
  };
  for (const auto& one : kCases) {
    const ParsedReport parsed = ParseReport(one.line);
    EXPECT_FALSE(parsed.report) << one.line;
    EXPECT_THAT(parsed.fault, HasSubstr(one.fault)) << one.line;
  }
}

TEST(ReportLineTest, TextsAreMadeSafe) {
  const ParsedReport parsed = ParseReport(R"({"check":"a","state":"ok","text":"one\ntwo\u0007"})");
  ASSERT_TRUE(parsed.report);
  EXPECT_EQ(std::get<CheckReport>(*parsed.report).text, "one");
}

TEST(ReportLineTest, RepliesAreReadBack) {
  EXPECT_EQ(ParseReply(FormatReply("")), "");
  EXPECT_EQ(ParseReply(FormatReply("not \"you\"")), "not \"you\"");
  EXPECT_EQ(ParseReply(R"({"accepted":false})"), "refused without a reason");
  EXPECT_EQ(ParseReply("hello"), std::nullopt);
  EXPECT_EQ(ParseReply(""), std::nullopt);
}

}  // namespace
}  // namespace oppetid::agent
