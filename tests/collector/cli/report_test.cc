// `oppetid report` and `check-config` as people call them: the built program, real files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ReportCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "oppetid_report_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    Write("catalogue.yaml", OneService("up_when: h/a"));
    Write("history.jsonl", SpanLine("h/a", "00:00", "01:00", "ok"));
    Write("tickets.jsonl", "");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }
  std::string Read(const std::string& name) {
    std::ifstream in(dir_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  struct Outcome {
    int code;
    std::string out, err;
  };
  // Runs the program in the directory of the files.
  Outcome Run(const std::string& arguments) {
    const std::string call = "cd '" + dir_.string() + "' && '" OPPETID_PROGRAM "' " + arguments +
                             " > stdout.txt 2> stderr.txt";
    const int status = std::system(call.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read("stdout.txt"), Read("stderr.txt")};
  }
  Outcome Report(const std::string& more = "") {
    return Run(
        "report --catalogue catalogue.yaml --history history.jsonl --tickets tickets.jsonl "
        "--period 2026-06 " +
        more);
  }

  std::filesystem::path dir_;
};

TEST_F(ReportCommand, PrintsTheReportAlone) {
  const Outcome its = Report();
  EXPECT_EQ(its.code, 0);
  EXPECT_THAT(its.out, AllOf(HasSubstr(R"("up_ms":3600000,)"), HasSubstr("\"inputs_sha256\":\"")));
  EXPECT_THAT(its.err, IsEmpty());
  EXPECT_EQ(Report().out, its.out);  // the same bytes again
}

TEST_F(ReportCommand, TheChecksumIsThatOfTheFilesOneAfterTheOther) {
  const std::string told = Report().out;
  ASSERT_EQ(std::system(("cd '" + dir_.string() +
                         "' && cat catalogue.yaml history.jsonl tickets.jsonl | sha256sum > sum")
                            .c_str()),
            0);
  EXPECT_THAT(told, HasSubstr("\"" + Read("sum").substr(0, 64) + "\""));
}

TEST_F(ReportCommand, WritesToAFileAndNeverOnAFault) {
  EXPECT_EQ(Report("--output out.json").code, 0);
  const std::string written = Read("out.json");
  EXPECT_EQ(written, Report().out);
  Write("history.jsonl", "{}\n{\n");
  const Outcome its = Report("--output out.json");
  EXPECT_EQ(its.code, 2);
  EXPECT_THAT(its.err, AllOf(HasSubstr("history.jsonl:1: `type` is missing"),
                             HasSubstr("history.jsonl:2: not a JSON object")));
  EXPECT_EQ(Read("out.json"), written);
  EXPECT_THAT(its.out, IsEmpty());
}

TEST_F(ReportCommand, FaultsOfAllFilesComeInOneGo) {
  Write("catalogue.yaml", OneService("up_when: h/a, colour: red"));
  Write("history.jsonl", "{}\n");
  Write("tickets.jsonl", "{}\n");
  EXPECT_THAT(Report().err, AllOf(HasSubstr("catalogue.yaml:"), HasSubstr("history.jsonl:1:"),
                                  HasSubstr("tickets.jsonl:1:")));
}

TEST_F(ReportCommand, RefusesBadUsageWithWhatIsAllowed) {
  for (const auto& [arguments, what] : std::vector<std::pair<std::string, std::string>>{
           {"--format pdf", "--format pdf: not in this version; allowed: json, html"},
           {"--format csv", "not in this version"},
           {"--format xlsx", "not in this version"},
           {"--format doc", "is not a format"},
           {"--format html --lang en", "not in this version for html; allowed: nb"},
           {"--lang sv", "allowed: nb, nn, en"},
           {"--municipality n", "--municipality: `n` is not in the catalogue"},
           {"--as-known-at yesterday", "is not an instant"},
           {"--colour red", "--colour"}}) {
    const Outcome its = Report(arguments);
    EXPECT_EQ(its.code, 2) << arguments;
    EXPECT_THAT(its.err, HasSubstr(what));
    EXPECT_THAT(its.out, IsEmpty());
  }
  const std::string files = "report --catalogue catalogue.yaml --history history.jsonl ";
  EXPECT_THAT(Run(files + "--period 2026-Q5").err, HasSubstr("is not a period; allowed: 2026-Q3"));
  EXPECT_EQ(Run(files + "--period 2026-Q5").code, 2);
  EXPECT_EQ(Run(files).code, 2);
  EXPECT_EQ(Run("report --history history.jsonl --period 2026").code, 2);
  // Without facts of its own it asks a collector; here none runs.
  EXPECT_EQ(Run("report --catalogue catalogue.yaml --period 2026 --state .").code, 1);
  EXPECT_EQ(Run("report --catalogue none.yaml --period 2026 --state .").code, 2);
  EXPECT_EQ(Run("report --catalogue none.yaml --history none.jsonl --period 2026").code, 2);
  EXPECT_EQ(Run("").code, 2);
  EXPECT_EQ(Run("--help").code, 0);
  EXPECT_THAT(Run("--version").out, HasSubstr("oppetid " OPPETID_VERSION));
}

TEST_F(ReportCommand, FailsWhereItCannotWrite) {
  EXPECT_EQ(Report("--output none/out.json").code, 1);
}

TEST_F(ReportCommand, WarningsLeaveTheReportAndItsCodeAlone) {
  Write("history.jsonl", SpanLine("h/a", "00:00", "01:00", "ok") + RevocationLine("x"));
  const Outcome its = Report();
  EXPECT_EQ(its.code, 0);
  EXPECT_THAT(its.err, HasSubstr("history.jsonl:2: warning: it revokes `x`"));
  EXPECT_THAT(its.out, HasSubstr(R"("up_ms":3600000,)"));
}

TEST_F(ReportCommand, ALineBeyondTheBoundIsAFaultOfItsOwn) {
  Write("history.jsonl", SpanLine("h/a", "00:00", "01:00", "ok") +
                             std::string(kMaxLineBytes + 1, 'x') + "\n{}\n" +
                             SpanLine("h/a", "02:00", "03:00", "ok"));
  EXPECT_THAT(Report().err, AllOf(HasSubstr("history.jsonl:2: the line is longer than 1000000"),
                                  HasSubstr("history.jsonl:3: `type` is missing")));
}

TEST_F(ReportCommand, TheLastLineMayLackItsNewlineAndLinesMayEndInCarriageReturns) {
  std::string text =
      SpanLine("h/a", "00:00", "01:00", "ok") + SpanLine("h/a", "02:00", "03:00", "ok");
  text.insert(text.find('\n'), "\r");
  text.pop_back();
  Write("history.jsonl", text);
  EXPECT_THAT(Report().out, HasSubstr(R"("up_ms":7200000,)"));
}

TEST_F(ReportCommand, CheckConfigSaysTheSameWithoutComputing) {
  const Outcome fine = Run("check-config catalogue.yaml history.jsonl tickets.jsonl");
  EXPECT_EQ(fine.code, 0);
  EXPECT_THAT(fine.out + fine.err, IsEmpty());
  Write("tickets.jsonl", R"({"type":"ticket","id":"t"})");
  Write("other.yaml", "services: [{id: s}]\n");
  const Outcome bad = Run("check-config catalogue.yaml tickets.jsonl other.yaml notes.txt");
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("tickets.jsonl:1: `municipality` is missing"),
                             HasSubstr("other.yaml:1:"), HasSubstr("notes.txt: allowed:")));
  EXPECT_THAT(bad.err, Not(HasSubstr("\ncatalogue.yaml")));
  EXPECT_EQ(Run("check-config none.yaml").code, 2);
}

}  // namespace
}  // namespace oppetid::collector
