// Bad input and what is said about it: each message names the place, the fault and what is allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/report/catalogue_reader.h"
#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::string> CatalogueFaults(const std::string& text) {
  Faults faults("catalogue.yaml");
  const auto catalogue = ReadCatalogue(text, faults);
  EXPECT_EQ(catalogue.has_value(), faults.empty());
  return faults.lines();
}

TEST(CatalogueReader, TellsWhatIsWrongAndWhatIsAllowed) {
  const std::string base = "up_when: h/a";
  const std::vector<std::pair<std::string, std::string>> table = {
      {OneService("up_when: h/a, depends_on: [s]"), "a cycle: s -> s"},
      {OneService("up_when: h/a, depends_on: [network]"),
       "service `network` is not in the catalogue"},
      {OneService(base, "", 101), "`101 %` is not a percentage from 0 % to 100 %"},
      {OneService(base, "", 0), "0 % asks for nothing; allowed: above 0 %, at most 100 %"},
      {OneService("up_when: h/a, hours: ofice", "calendars: {office: {always: true}}\n"),
       "calendar `ofice` is not in the catalogue (did you mean `office`?)"},
      {OneService("up_when: h/a, unknown: bound"), "did you mean `bounds`?"},
      {OneService("up_when: h/a, longest_down: 8 h"), "`8 h` is not a duration"},
      {OneService("up_when: h/a, colour: red"), "unknown key `colour`"},
      {OneService("hours: always"), "`up_when` is missing"},
      {OneService("up_when: {all: []}"), "a list of at least one part"},
      {OneService("up_when: {at_least: 3, of: [h/a, h/b]}"), "`3` is not a whole number from 1"},
      {OneService("up_when: {at_least: 0, of: [h/a, h/b]}"), "`0` is not a whole number from 1"},
      {OneService("up_when: {all: [h/a], any: [h/b]}"), "expected one of all: […], any: […]"},
      {OneService("up_when: {all: h/a}"), "a list of at least one part"},
      {OneService("up_when: smtp"), "`smtp` is not the name of a check; allowed: <host>/<check>"},
      {"municipalities: [{id: m}, {id: m}]\n", "municipality `m` stands twice; keep one"},
      {"municipalities: [{id: m, until: 2026-02-30}]\n", "`2026-02-30` is not a date"},
      {"municipalities: [{id: m, from: 2026-02-29}]\n", "`2026-02-29` is not a date"},
      {OneService(base, "", 1001), "`1001 %` is not a percentage from 0 % to 100 %"},
      {"municipalities: [{id: m, from: 2026-02-02, until: 2026-02-01}]\n",
       "`from` 2026-02-02 is after `until` 2026-02-01"},
      {"municipalities: [{id: m, merged_into: x}]\n", "municipality `x` is not in the catalogue"},
      {"municipalities: [{id: m, merged_into: m}]\n", "ends up merged into itself"},
      {"municipalities: [{id: vennesla}]\nservices: [{id: s, municipalities: [venesla], target: "
       "9 %, up_when: h/a}]\n",
       "did you mean `vennesla`?"},
      {"municipalities: [{id: m}]\nservices: [{id: s, municipalities: [m, {id: m}], target: 9 %, "
       "up_when: h/a}]\n",
       "`m` stands twice in the list"},
      {"municipalities: [{id: m}]\nservices: [{id: s, municipalities: [m], up_when: h/a}]\n",
       "`target` is missing"},
      {"municipalities: [{id: m}]\nbackups: [{job: j, municipalities: [m], target: 9 %}]\n",
       "`rpo` is missing"},
      {"timezone: Europe/Olso\n", "`Europe/Olso` is not in the system's time zone database"},
      {"calendars: {c: {hours: {}}}\n", "the calendar never opens"},
      {"calendars: {c: {holidays: norway}}\n", "the calendar never opens"},
      {"calendars: {c: {extra: {2026-03-29: \"02:00-03:00\"}}}\n", "the calendar never opens"},
      {"calendars: {c: {hours: {mon: \"15:00-08:00\"}}}\n", "the start before the end"},
      {"calendars: {c: {hours: {mon: \"08:00-24:01\"}}}\n", "which is at most 24:00"},
      {"calendars: {c: {hours: {mo: \"08:00-15:00\"}}}\n", "`mo` names no days"},
      {"calendars: {c: {hours: {mon: \"08:00-15:00\"}, holidays: sweden}}\n",
       "`sweden` is not one of norway"},
      {"calendars: {c: {hours: {mon: \"08:00-15:00\"}, short_days: {easter: \"12:00\"}}}\n",
       "`easter` is not a day"},
      {"calendars: {c: {hours: {mon: \"08:00-15:00\"}, closed: [2026-2-1]}}\n",
       "`2026-2-1` is not a date"},
      {"calendars: {c: {always: true, closed: [2026-02-01]}}\n", "has no other keys"},
      {"calendars: {always: {hours: {mon: \"08:00-15:00\"}}}\n", "`always` is built in"},
      {"tickets: {calendar: office}\n", "calendar `office` is not in the catalogue"},
      {"tickets: {pause_on: [waiting]}\n", "`waiting` is not a status"},
      {"tickets: {targets: [{kind: incident, priority: P6}]}\n", "`P6` is not one of P1"},
      {"tickets: {targets: [{kind: incident, priority: P1}, {kind: incident, priority: P1}]}\n",
       "a second target for incident P1"}};
  for (const auto& [text, what] : table) {
    const auto faults = CatalogueFaults(text);
    EXPECT_THAT(faults, Contains(AllOf(StartsWith("catalogue.yaml:"), HasSubstr(what)))) << text;
    EXPECT_THAT(faults, SizeIs(1)) << text;
  }
}

TEST(CatalogueReader, TellsAllFaultsInOneGo) {
  EXPECT_THAT(
      CatalogueFaults("municipalities: [{id: m}]\n"
                      "services:\n"
                      "  - {id: a, municipalities: [m], target: 99 %, up_when: h/a, "
                      "depends_on: [b]}\n"
                      "  - {id: b, municipalities: [x], target: 100.1 %, up_when: h/a, "
                      "depends_on: [a]}\n"),
      ElementsAre(AllOf(StartsWith("catalogue.yaml:4:"), HasSubstr("municipality `x`")),
                  AllOf(StartsWith("catalogue.yaml:4:"), HasSubstr("`100.1 %`")),
                  AllOf(StartsWith("catalogue.yaml:3:5:"), HasSubstr("a cycle: a -> b -> a"))));
}

TEST(CatalogueReader, ReadsALeapDayAndEverythingOptional) {
  EXPECT_THAT(CatalogueFaults("calendars: {c: {hours: {mon: \"08:00-09:00\"}, closed: "
                              "[2028-02-29]}}\n"),
              IsEmpty());
  EXPECT_THAT(CatalogueFaults("calendars: {c: {hours: {mon: \"08:00-09:00\"}, closed: "
                              "[2027-02-29]}}\n"),
              SizeIs(1));
}

std::vector<std::string> HistoryFaults(const std::string& text) {
  return SlaFiles("municipalities: [{id: m}]\n", text).faults();
}

std::vector<std::string> TicketFaults(const std::string& text) {
  return SlaFiles("municipalities: [{id: m}]\n", "", text).faults();
}

std::string With(std::string line, const std::string& from, const std::string& to) {
  const size_t at = line.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return line.replace(at, from.size(), to);
}

const std::string kSpan = SpanLine("h/a", "00:00", "01:00", "ok");

TEST(HistoryReader, TellsWhatIsWrongAndWhatIsAllowed) {
  const std::string correction = CorrectionLine("c", "00:00", "01:00", "up");
  const std::string run =
      R"({"type":"backup_run","job":"j","kind":"backup","start":"2026-06-01T01:00:00Z",)"
      R"("end":"2026-06-01T02:00:00Z","result":"success"})";
  const std::string window = DecisionLine("maintenance", "c", "00:00", "01:00",
                                          R"("announced_at":"2026-06-01T00:00:00Z")");
  const std::vector<std::pair<std::string, std::string>> table = {
      {"{", "history.jsonl:1: not a JSON object on one line"},
      {"[]", "history.jsonl:1: not a JSON object; each line is one {…}"},
      {"{}", "history.jsonl:1: `type` is missing"},
      {With(kSpan, "span", "spam"), "`spam` is not one of span, backup_run"},
      {With(kSpan, "\"ok\"", "\"down\""), "`down` is not one of ok, warning, critical, unknown"},
      {With(kSpan, "\"ok\"", "3"), "`state`: expected text"},
      {With(kSpan, "01:00:00Z", "00:00:00Z"), "is not before `to`"},
      {With(kSpan, "01:00:00Z", "01:00:00"), "`2026-06-01T01:00:00` is not an instant; allowed:"},
      {With(kSpan, "06-01", "02-30"), "is not an instant"},
      {With(kSpan, "06-01", "02-29"), "is not an instant"},  // 2026 is no leap year
      {With(kSpan, "01:00:00Z", "01:00:00.0001Z"), "up to three decimals"},
      {With(kSpan, "h/a", "smtp"), "allowed: <host>/<check>"},
      {With(kSpan, "}", ",\"colour\":1}"), "unknown key `colour`; allowed: type, check"},
      {With(kSpan, "}", ",\"chek\":\"h/a\"}"), "did you mean `check`?"},
      {With(kSpan, "}", ",\"gap\":true}"), "a gap has the state unknown, not ok"},
      {With(kSpan, "}", ",\"gap\":\"yes\"}"), "`gap`: expected true or false"},
      {With(kSpan, "}", ",\"state\":\"ok\"}"), "`state` stands twice in one object"},
      {With(run, "02:00", "00:59"), "is after `end`"},
      {With(run, "success", "partial"), "`partial` is not one of success, failed"},
      {With(run, "\"backup\"", "\"copy\""), "`copy` is not one of backup, restore_test"},
      {With(correction, "01:00:00Z\",\"as", "00:00:00Z\",\"was"), "`as` is missing"},
      {With(correction, "\"up\"", "\"unknown\""), "`unknown` is not one of up, down, excluded"},
      {With(correction, "\"by\":\"drift1\",", ""), "`by` is missing"},
      {With(correction, "[\"s\"]", "[]"), "`services`: expected a list that is not empty"},
      {With(correction, "[\"*\"]", "[\"m\",\"m\"]"), "`m` stands twice in the list"},
      {With(correction, ",\"recorded_at\":\"2026-06-02T00:00:00Z\"", ""),
       "`recorded_at` is missing"},
      {With(window, "T00:00:00Z\",\"to", "T02:00:00Z\",\"to"), "is after `to`"},
      {correction + With(correction, "drift1", "drift2"),
       "history.jsonl:2: `id`: `c` is already another fact's"},
      {correction + window, "history.jsonl:2: `id`: `c` is already another fact's"},
      {With(RevocationLine("c"), "revokes", "revoke"), "`revokes` is missing"}};
  for (const auto& [text, what] : table) {
    EXPECT_THAT(HistoryFaults(text), Contains(HasSubstr(what))) << text;
  }
}

TEST(HistoryReader, TheSameFactTwiceCountsOnce) {
  const std::string facts = kSpan + CorrectionLine("c", "00:00", "01:00", "up") +
                            DecisionLine("maintenance", "w", "00:00", "00:00",
                                         R"("announced_at":"2026-06-01T00:00:00Z")") +
                            RevocationLine("c");
  EXPECT_THAT(HistoryFaults(facts + "\n" + facts), IsEmpty());
}

TEST(HistoryReader, WarnsOfNamesThatNobodyKnows) {
  const SlaFiles files(OneService("up_when: mail01/smtp"),
                       SpanLine("mail01/smpt", "00:00", "01:00", "ok") + RevocationLine("x") +
                           With(CorrectionLine("c", "00:00", "01:00", "up"), "\"s\"", "\"t\""));
  EXPECT_THAT(files.faults(), IsEmpty());
  EXPECT_THAT(files.warnings(),
              ElementsAre(AllOf(StartsWith("history.jsonl:2: warning:"), HasSubstr("revokes `x`")),
                          AllOf(StartsWith("history.jsonl:3: warning:"),
                                HasSubstr("service `t` is not in the catalogue")),
                          AllOf(HasSubstr("no span knows the check `mail01/smtp`"),
                                HasSubstr("did you mean `mail01/smpt`?"))));
}

TEST(HistoryReader, StopsAfterAThousandFaults) {
  std::string text;
  for (int i = 0; i < 3'000; ++i) text += "{}\n";
  const auto faults = HistoryFaults(text);
  ASSERT_THAT(faults, SizeIs(kMaxFaults + 1));
  EXPECT_THAT(faults.back(), HasSubstr("more than 1000 faults; the rest is not shown"));
}

TEST(TicketReader, TellsWhatIsWrongAndWhatIsAllowed) {
  const std::string ticket =
      R"({"type":"ticket","id":"t","municipality":"m","kind":"incident","priority":"P1","events":)"
      R"([{"at":"2026-06-01T00:00:00Z","status":"new"}],"satisfaction":{"score":4,)"
      R"("at":"2026-06-01T00:00:00Z"}})";
  EXPECT_THAT(TicketFaults(ticket + "\n" + ticket), IsEmpty());
  const std::vector<std::pair<std::string, std::string>> table = {
      {With(ticket, ":4", ":6"),
       "tickets.jsonl:1: satisfaction: `score`: expected a whole number from 1 to 5"},
      {With(ticket, ":4", ":4.5"), "`score`: expected a whole number from 1 to 5"},
      {With(ticket, "\"new\"", "\"stalled\""), "events[0]: `status`: `stalled` is not one of new"},
      {With(ticket, ",\"status\":\"new\"", ""), "events[0]: `status` is missing"},
      {With(ticket, "P1", "P0"), "`P0` is not one of P1, P2, P3, P4, P5"},
      {With(ticket, "incident", "question"), "`question` is not one of incident"},
      {With(ticket, "\"kind\"", "\"subject\":\"x\",\"kind\""), "unknown key `subject`"},
      {With(ticket, "[{\"at\":\"2026-06-01T00:00:00Z\",\"status\":\"new\"}]", "[]"),
       "`events`: expected a list that is not empty"},
      {With(ticket, "{\"score\":4,\"at\":\"2026-06-01T00:00:00Z\"}", "4"),
       "`satisfaction`: expected an object"},
      {ticket + "\n" + With(ticket, "P1", "P2"), "`t` is already another ticket's"},
      {With(ticket, "\"ticket\"", "\"span\""), "`span` is not one of ticket"}};
  for (const auto& [text, what] : table) {
    EXPECT_THAT(TicketFaults(text), Contains(HasSubstr(what))) << text;
  }
}

}  // namespace
}  // namespace oppetid::collector
