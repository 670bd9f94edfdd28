// The account from the command line: `oppetid` itself against a collector's pages over a real
// ledger, and against the ledger's file. Everything lies in 2024, so that every period is over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/api_fixture.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kCatalogue = R"(# What was agreed.
municipalities: [{id: vennesla}, {id: lillesand}]
services:
  - id: email
    municipalities: [vennesla]
    target: 99 %
    up_when: mail01/smtp
  - {id: line, municipalities: [lillesand], target: 99.9 %, up_when: "room/gw-{municipality}"}
)";

Instant At(const std::string& text) { return ParseInstant(text).value(); }

class AccountCommand : public ApiFixture {
 protected:
  AccountCommand() {
    clock_.SetWall(At("2024-07-01T08:00:00Z"));
    Open(/*anonymous=*/false);
    AddSpans();
    Serve();
    Write("catalogue.yaml", kCatalogue);
    Write("none.jsonl", "");
  }

  // E-mail was down from 28 June to 2 July and for an hour on 10 July; a gap on 12 July.
  void AddSpans() {
    const auto add = [this](const std::string& from, const std::string& to, State state) {
      Batch batch;
      batch.runs.push_back({"mail01", "smtp", state, At(from), At(to), false});
      ASSERT_TRUE(ledger_->Commit(batch, At(from)).ok());
    };
    add("2024-06-20T00:00:00Z", "2024-06-28T00:00:00Z", State::kOk);
    add("2024-06-28T00:00:00Z", "2024-07-02T00:00:00Z", State::kCritical);
    add("2024-07-02T00:00:00Z", "2024-07-10T10:00:00Z", State::kOk);
    add("2024-07-10T10:00:00Z", "2024-07-10T11:00:00Z", State::kCritical);
    add("2024-07-10T11:00:00Z", "2024-07-12T00:00:00Z", State::kOk);
    Batch gap;
    gap.gaps.push_back(
        {"mail01", "smtp", At("2024-07-12T00:00:00Z"), At("2024-07-12T06:00:00Z"), "spool lost"});
    ASSERT_TRUE(ledger_->Commit(gap, At("2024-07-12T06:00:00Z")).ok());
    add("2024-07-12T06:00:00Z", "2024-10-02T00:00:00Z", State::kOk);
  }
  void SetClock(const std::string& at) {
    OnLoop([this, at] { clock_.SetWall(At(at)); });
  }

  std::string file(const std::string& name) const { return directory_.path() + "/" + name; }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(file(name), std::ios::binary) << text;
  }
  std::string Read(const std::string& name) {
    std::ifstream in(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  struct Outcome {
    int code;
    std::string out, err;
  };
  // `more` after the words that say where the account is.
  Outcome Run(const std::string& command, const std::string& where) {
    const std::string call = "cd '" + directory_.path() + "' && '" OPPETID_PROGRAM "' " + command +
                             " " + where + " > stdout.txt 2> stderr.txt";
    const int status = std::system(call.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read("stdout.txt"), Read("stderr.txt")};
  }
  Outcome Ask(const std::string& command) { return Run(command, "--socket admin.sock"); }
  Outcome FromFile(const std::string& command) { return Run(command, "--ledger ledger.sqlite"); }
  void Apply() {
    SetClock("2024-07-01T08:00:00Z");
    const Outcome its = Ask("catalogue apply catalogue.yaml --reason 'First agreement'");
    ASSERT_EQ(its.code, 0) << its.err;
  }
};

TEST_F(AccountCommand, ACatalogueComesIntoForceAndABrokenOneDoesNot) {
  EXPECT_THAT(Ask("catalogue show").err, HasSubstr("no catalogue was in force at"));
  EXPECT_EQ(Ask("catalogue show").code, 1);
  EXPECT_THAT(Ask("catalogue apply catalogue.yaml --dry-run").err,
              HasSubstr("nothing was applied"));
  const Outcome first = Ask("catalogue apply catalogue.yaml --on-behalf-of 'Kari Nordmann'");
  EXPECT_EQ(first.code, 0);
  EXPECT_THAT(first.out, HasSubstr("+ services[email].target: 99 %\n"));
  EXPECT_THAT(first.err, AllOf(HasSubstr("warning: no agent has the check `mail01/smtp`"),
                               HasSubstr("oppetid: in force now")));
  EXPECT_THAT(Ask("catalogue apply catalogue.yaml").err, HasSubstr("in force already"));

  std::string broken = kCatalogue;
  broken.replace(broken.find("99 %"), 4, "100.1 %");
  Write("broken.yaml", broken);
  const Outcome refused = Ask("catalogue apply broken.yaml");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("broken.yaml:6:13: "), HasSubstr("`100.1 %`"),
                                 HasSubstr("nothing was applied")));
  EXPECT_EQ(Ask("catalogue show").out, kCatalogue);

  SetClock("2024-08-01T08:00:00Z");
  std::string second = kCatalogue;
  second.replace(second.find("99 %"), 4, "99.5 %");
  Write("second.yaml", second);
  EXPECT_EQ(Ask("catalogue apply second.yaml").out, "~ services[email].target: 99 % -> 99.5 %\n");
  EXPECT_EQ(Ask("catalogue show").out, second);
  EXPECT_EQ(Ask("catalogue show --at 2024-07-31T00:00:00Z").out, kCatalogue);
  EXPECT_EQ(FromFile("catalogue show --at '2024-07-31 12:00'").out, kCatalogue);
  EXPECT_EQ(Ask("catalogue show --period 2024-07").out, kCatalogue);
  EXPECT_EQ(FromFile("export catalogue --period 2024-Q3").out, second);
  EXPECT_THAT(Ask("catalogue history").out,
              AllOf(HasSubstr("for Kari Nordmann"), HasSubstr("2024-08-01T08:00:00.000Z")));
  EXPECT_EQ(Ask("catalogue history --json").out, FromFile("catalogue history --json").out);
}

TEST_F(AccountCommand, TheReportIsTheSameFromTheCollectorItsFileAndAnExport) {
  Apply();
  SetClock("2024-07-05T08:00:00Z");
  EXPECT_EQ(Ask("maintenance announce --service email --from '2024-07-20 20:00' "
                "--to '2024-07-20 22:00' --reason Patching --reference CHG-1")
                .out,
            "m-2\n");
  SetClock("2024-07-22T08:00:00Z");
  EXPECT_EQ(Ask("correction add --service email --municipality vennesla --as excluded "
                "--from '2024-07-10 12:00' --to '2024-07-10 12:30' --reason 'Fibre cut' "
                "--on-behalf-of 'Kari Nordmann'")
                .out,
            "c-3\n");
  EXPECT_EQ(Ask("outage report --service email --from 2024-07-11T05:00:00Z "
                "--to 2024-07-11T05:10:00Z --reason 'Nobody could send' --reference RT-7")
                .out,
            "c-4\n");
  EXPECT_EQ(Ask("maintenance announce --service '*' --from '2024-07-25 20:00' "
                "--to '2024-07-25 22:00' --reason Moved --announced-at '2024-07-01 09:00'")
                .out,
            "m-5\n");
  EXPECT_EQ(Ask("maintenance cancel m-5 --reason 'Not needed'").out, "m-5\n");
  SetClock("2024-10-05T08:00:00Z");

  const std::string asked = "report --period 2024-Q3 ";
  const Outcome collector = Ask(asked);
  EXPECT_EQ(collector.code, 0) << collector.err;
  // Down from 30 June 22:00 to 2 July, ten minutes by the ticket, half of the hour on 10 July.
  EXPECT_THAT(collector.out, HasSubstr(R"("excluded_ms":9000000,)"));
  EXPECT_THAT(collector.out, HasSubstr(R"("down_ms":96000000,"unknown_ms":21600000,)"));
  EXPECT_THAT(collector.out, HasSubstr(R"({"from":"2024-06-28T00:00:00.000Z","to":"2024-07-02)"));
  EXPECT_EQ(FromFile(asked).out, collector.out);
  EXPECT_EQ(Run(asked, "--state .").out, collector.out);
  for (const char* what : {"catalogue", "history"}) {
    const std::string call = "export " + std::string(what) + " --period 2024-Q3";
    const std::string text = Ask(call).out;
    EXPECT_EQ(FromFile(call).out, text);
    Write("exported." + std::string(what), text);
  }
  const std::string files =
      "report --catalogue exported.catalogue --history exported.history --tickets none.jsonl "
      "--period 2024-Q3";
  EXPECT_EQ(Run(files, "").out, collector.out);
  const std::string known = " --as-known-at 2024-07-22T07:00:00Z";
  EXPECT_EQ(Run(files, known).out, Ask(asked + known).out);
  EXPECT_THAT(Ask(asked + known).out, HasSubstr(R"("excluded_ms":7200000,"up_ms":)"));
  EXPECT_THAT(Ask(asked + "--format html").out,
              AllOf(HasSubstr("Fibre cut"), HasSubstr("Kari Nordmann")));
  // Another catalogue computes it as well, and is said to by the checksum.
  std::string other = kCatalogue;
  other.replace(other.find("99 %"), 4, "50 %");
  Write("other.yaml", other);
  EXPECT_THAT(Ask(asked + "--catalogue other.yaml").out, HasSubstr(R"("verdict":"met")"));
  EXPECT_EQ(Ask(asked + "--catalogue none.yaml").code, 2);
  EXPECT_EQ(Ask("report --period 2024-Q9").code, 2);
  EXPECT_EQ(Ask("report --period 2023-Q1").code, 1) << "no catalogue was in force";
}

TEST_F(AccountCommand, DecisionsAreListedAndRefusedWithWords) {
  EXPECT_EQ(Ask("correction revoke c-1 --reason r").code, 1) << "no catalogue yet";
  Apply();
  SetClock("2024-07-22T08:00:00Z");
  const Outcome wrong = Ask(
      "correction add --service emial --as down --from '2024-07-25 20:00' --to '2024-07-20 20:00' "
      "--reason r");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("oppetid: `services`: `emial` is not in the catalogue "
                                         "(did you mean `email`?)"),
                               HasSubstr("oppetid: it ends before it starts")));
  EXPECT_EQ(Ask("correction add --service email --as up --from '2024-07-20 20:00' "
                "--to '2024-07-20 21:00' --reason Probe --reference T-1")
                .out,
            "c-2\n");
  EXPECT_EQ(Ask("correction revoke c-2 --reason 'Wrong date'").code, 0);
  const Outcome again = Ask("correction revoke c-2 --reason again");
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("c-2 was revoked already"));
  EXPECT_THAT(Ask("correction list").out,
              AllOf(HasSubstr("revoked 2024-07-22T08:00:00.000Z by "), HasSubstr("T-1")));
  EXPECT_THAT(Ask("correction list --json").out,
              AllOf(StartsWith(R"({"corrections":[{"id":"c-2")"), HasSubstr("Wrong date")));
  const Outcome late =
      Ask("maintenance announce --service email --from '2024-07-23 20:00' --to '2024-07-23 22:00' "
          "--reason Hurry");
  EXPECT_THAT(late.err, HasSubstr("email: not planned maintenance"));
  EXPECT_THAT(Ask("maintenance list").out, HasSubstr("too late for email"));
  EXPECT_THAT(FromFile("maintenance list --json").out, HasSubstr(R"("planned":{"email":false})"));
  EXPECT_EQ(Ask("maintenance cancel c-2 --reason r").code, 1);
  EXPECT_EQ(Ask("maintenance announce --service email").code, 2);
}

TEST_F(AccountCommand, OutagesHaveNotesAndInstantsAnExplanation) {
  Apply();
  SetClock("2024-07-22T08:00:00Z");
  EXPECT_EQ(
      Ask("outage annotate email vennesla --at '2024-07-10 12:30' --note 'Supplier informed'").code,
      0);
  EXPECT_EQ(Ask("outage annotate email vennesla --at '2024-08-10 12:30' --note x").code, 2);
  const Outcome list = Ask("outage list --period 2024-07");
  EXPECT_THAT(list.out, AllOf(HasSubstr("2024-06-28T00:00:00.000Z"), HasSubstr("1h"),
                              HasSubstr("Supplier informed")));
  EXPECT_EQ(FromFile("outage list --period 2024-07 --json").out,
            Ask("outage list --period 2024-07 --json").out);
  EXPECT_THAT(Ask("outage list --period 2024-07 --municipality lillesand").out,
              Not(HasSubstr("email")));
  ASSERT_EQ(Ask("correction add --service email --as excluded --from '2024-07-10 12:00' "
                "--to '2024-07-10 12:30' --reason 'Fibre cut'")
                .code,
            0);

  const std::string explain = "explain email vennesla --at ";
  EXPECT_THAT(Ask(explain + "'2024-07-10 12:15'").out,
              AllOf(StartsWith("email for vennesla at 2024-07-10T10:15:00.000Z counts as excluded"),
                    HasSubstr("Correction c-3 to excluded, from 2024-07-10T10:00:00.000Z"),
                    HasSubstr("Fibre cut -- this decides."),
                    HasSubstr("It is part of the outage from 2024-07-10T10:00:00.000Z to "
                              "2024-07-10T11:00:00.000Z"),
                    HasSubstr("mail01/smtp: critical from 2024-07-10T10:00:00.000Z")));
  EXPECT_THAT(FromFile(explain + "2024-07-12T01:00:00Z").out,
              AllOf(HasSubstr("counts as unknown"),
                    HasSubstr("mail01/smtp: unknown, a gap from 2024-07-12T00:00:00.000Z"),
                    HasSubstr("spool lost")));
  EXPECT_THAT(Ask(explain + "2024-06-30T00:00:00Z").out, HasSubstr("counts as down"))
      << "before the first catalogue by the newest";
  EXPECT_THAT(Ask("explain line lillesand --at 2024-07-12T01:00:00Z").out,
              HasSubstr("room/gw-lillesand: unknown; nothing is known of it"));
  EXPECT_THAT(Ask("explain email lillesand --at 2024-07-12T01:00:00Z").err,
              HasSubstr("email is not delivered to `lillesand`"));
  EXPECT_THAT(Ask("explain emial vennesla --at 2024-07-12T01:00:00Z").err,
              HasSubstr("did you mean `email`?"));
  EXPECT_EQ(Ask(explain + "noon").code, 2);
}

TEST_F(AccountCommand, BeforeThereIsACatalogueThereAreFactsAllTheSame) {
  const Outcome history = Ask("export history --period 2024-07-10..2024-07-11");
  EXPECT_EQ(history.code, 0) << history.err;
  EXPECT_THAT(history.out, HasSubstr(R"("state":"critical")"));
  EXPECT_EQ(FromFile("export history --period 2024-07-10..2024-07-11").out, history.out);
  EXPECT_EQ(Ask("export history --period x").code, 2);
  EXPECT_THAT(Ask("report --period 2024-Q3").err, HasSubstr("there is no catalogue yet"));
  EXPECT_EQ(Run("report --period 2024-Q3", "--ledger none.sqlite").code, 1);
}

}  // namespace
}  // namespace oppetid::collector
