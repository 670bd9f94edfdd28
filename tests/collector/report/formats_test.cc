// The report's formats, from the same figures: JSON to the byte, the page by what it must say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/report/html.h"
#include "collector/report/html_writer.h"
#include "collector/report/json.h"
#include "collector/report/texts_nb.h"
#include "tests/support/sla_files.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kCatalogue = R"(
municipalities: [{id: m, name: "Mår & <Lo> kommune"}, {id: n}]
services:
  - {id: s, name: {nb: E-post}, municipalities: [m], target: 99.950 %, up_when: h/a}
backups:
  - {job: j, municipalities: [m], rpo: 26h, target: 99 %, restore_test_every: 92d}
tickets:
  targets: [{kind: incident, priority: P1, respond_within: 30m, resolve_within: 4h, attain: 90 %}]
)";

const std::string kTickets =
    R"({"type":"ticket","id":"t","municipality":"m","kind":"incident","priority":"P1","events":[)"
    R"({"at":"2026-06-01T06:00:00Z","status":"new"},{"at":"2026-06-01T07:00:00Z","status":)"
    R"("resolved"}],"satisfaction":{"score":4,"at":"2026-06-01T10:00:00Z"}})";

// The page with plain spaces; in it a number and its unit stay together.
std::string Page(const Report& report) {
  std::string page = ReportAsHtml(report);
  for (size_t at = 0; (at = page.find("\u00a0", at)) != std::string::npos;)
    page.replace(at, 2, " ");
  return page;
}

SlaFiles Sample() {
  return SlaFiles(
      kCatalogue,
      SpanLine("h/a", "00:00", "02:00", "critical") + SpanLine("h/a", "02:00", "08:00", "ok") +
          DecisionLine("maintenance", "w", "08:00", "09:00",
                       R"("announced_at":"2026-05-31T00:00:00Z","reason":"<b>bytte</b>")"),
      kTickets);
}

TEST(Json, HasTheKeysAsNamedAndInTheirOrder) {
  EXPECT_EQ(
      ReportAsJson(Sample().Of("2026-06-01..2026-06-02")),
      R"({"period":{"label":"2026-06-01..2026-06-02","from":"2026-05-31T22:00:00.000Z","to":"2026-06-01T22:00:00.000Z","computed_to":"2026-06-01T22:00:00.000Z"},"services":[
{"service":"s","municipality":"m","period_ms":86400000,"service_time_ms":86400000,"outside_ms":0,"excluded_ms":0,"up_ms":21600000,"down_ms":7200000,"unknown_ms":57600000,"longest_down_ms":7200000,"verdict":"breached","outages":[{"from":"2026-06-01T00:00:00.000Z","to":"2026-06-01T02:00:00.000Z","down_ms":7200000}]}],"backups":[
{"job":"j","municipality":"m","period_ms":86400000,"within_ms":0,"over_ms":0,"unknown_ms":86400000,"verdict":"not_measured","restore_test":{"within_ms":0,"over_ms":0,"unknown_ms":86400000,"verdict":"not_measured"}}],"tickets":[
{"municipality":"m","kind":"incident","priority":"P1","created":1,"resolved":1,"backlog":0,"reopened":0,"response_met":0,"response_breached":1,"resolution_met":1,"resolution_breached":0,"median_resolution_ms":3600000,"p90_resolution_ms":3600000,"median_response_ms":3600000,"target_met":true,"response_target_met":false}],"satisfaction":[
{"municipality":"m","answers":1,"sum":4,"four_or_more":1}]}
)");
}

TEST(Json, SaysAsKnownAtAndTheInputsWhereTheyApply) {
  const SlaFiles files = Sample();
  Report report = files.Of("2026-06-01..2026-06-02", "2026-06-01T10:00:00Z");
  report.inputs_sha256 = "abc";
  EXPECT_THAT(ReportAsJson(report),
              HasSubstr(R"("computed_to":"2026-06-01T10:00:00.000Z"},"as_known_at":)"
                        R"("2026-06-01T10:00:00.000Z","inputs_sha256":"abc","services")"));
}

TEST(Html, SaysInBokmalWhatTheFiguresSay) {
  const SlaFiles files = Sample();
  Report report = files.Of("2026-06-01..2026-06-02");
  report.inputs_sha256 = "abc123";
  const std::string page = Page(report);
  for (const char* what :
       {"<html lang=\"nb\">", "<h1>Tjenesterapport for 2026-06-01 til 2026-06-02",
        "<h2>Mår &amp; &lt;Lo&gt; kommune</h2>",
        "Av 1 avtale om tilgjengelighet er 0 oppfylt og 1 ikke oppfylt.",
        "<th scope=\"row\">E-post</th><td>99,95 %</td><td>75,000 %</td><td>25,000 % til 91,666 "
        "%</td><td>33,333 %</td><td>2 t</td><td>16 t</td><td>0 s</td><td>Ikke oppfylt</td>",
        "<td>1. juni 2026 kl. 02.00</td><td>1. juni 2026 kl. 04.00</td><td>2 t</td>",
        "Varslet for sent, ikke trukket fra</td><td>&lt;b&gt;bytte&lt;/b&gt;</td>", "Hendelse P1",
        "0 av 1: ikke oppfylt", "1 av 1: oppfylt", "Tilfredshet: 1 svar", "gjennomsnitt 4,00 av 5",
        "--period 2026-06-01..2026-06-02 --format json", "abc123", "@page"}) {
    EXPECT_THAT(page, HasSubstr(what));
  }
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("<h2>n</h2>")));  // nothing agreed, nothing happened
  // Headings in order, none skipped.
  int last = 0;
  for (size_t at = 0; (at = page.find("<h", at)) != std::string::npos; ++at) {
    const int level = page[at + 2] - '0';
    if (level < 1 || level > 6) continue;
    EXPECT_LE(level, last + 1);
    last = level;
  }
  EXPECT_EQ(last, 2);
}

// Apart in sections of their own, and folded into the successor by adding milliseconds.
TEST(Html, FoldsMergedMunicipalitiesIntoTheirSuccessor) {
  const std::string catalogue = R"(
municipalities:
  - {id: aa, name: Å kommune, until: 2026-06-02, merged_into: bb}
  - {id: bb, name: B kommune, until: 2026-06-03, merged_into: nye}
  - {id: nye, name: Nye kommune, from: 2026-06-03}
  - {id: n, name: N kommune}
services:
  - {id: e, name: {nb: E-post}, municipalities: [aa, bb, nye, n], target: 50 %,
     up_when: "h/{municipality}"}
  - {id: f, name: {nb: Filer}, municipalities: [nye], target: 50 %, up_when: h/f}
)";
  const auto span = [](const std::string& check, const std::string& from, const std::string& to,
                       const std::string& state) {
    return R"({"type":"span","check":"h/)" + check + R"(","from":"2026-05-31T22:00:00Z","to":")" +
           from + R"(","state":"ok"})" + "\n" + R"({"type":"span","check":"h/)" + check +
           R"(","from":")" + from + R"(","to":")" + to + R"(","state":")" + state + "\"}\n";
  };
  const std::string history =
      span("aa", "2026-06-01T10:00:00Z", "2026-06-30T22:00:00Z", "critical") +
      span("bb", "2026-06-01T10:00:00Z", "2026-06-30T22:00:00Z", "ok") +
      span("nye", "2026-06-03T22:00:00Z", "2026-06-30T22:00:00Z", "critical");
  const SlaFiles files(catalogue, history);
  const std::string page = Page(files.Of("2026-06-01..2026-06-04"));
  // aa: 12 h up, 12 h down; bb: 48 h up; nye: 24 h up.
  EXPECT_THAT(
      page,
      HasSubstr("<caption>Lagt sammen med tallene fra før sammenslåingen: B kommune, Å kommune"
                "</caption>"));
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">E-post</th><td>50 %</td><td>87,500 %</td>"
                              "<td>87,500 % til 87,500 %</td><td>100,000 %</td><td>12 t</td>"
                              "<td>0 s</td><td>0 s</td></tr>"));
  EXPECT_THAT(page, HasSubstr("<p>Slått sammen med Nye kommune.</p>"));
  const auto folded = [](const std::string& text) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find("Lagt sammen", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(folded(page), 2U);  // aa into bb, and both into the new one
  EXPECT_EQ(folded(Page(files.Of("2026-07"))), 0U) << "long past: nothing to add";
}

TEST(Html, MarksWhatWasAnnouncedElsewhere) {
  const std::string window = R"("reason":"r","announced_at":"2026-05-20T00:00:00Z")";
  const auto page = [&](const std::string& more) {
    return Page(
        SlaFiles(kCatalogue, DecisionLine("maintenance", "w", "08:00", "09:00", window + more))
            .Of("2026-06"));
  };
  EXPECT_THAT(page(""), Not(HasSubstr("ført inn her")));
  EXPECT_THAT(page(R"(,"recorded_at":"2026-06-02T00:00:00Z")"),
              HasSubstr("20. mai 2026 kl. 02.00, ført inn her 2. juni 2026 kl. 02.00"));
}

TEST(Html, KeepsNumbersAndUnitsTogether) {
  EXPECT_THAT(ReportAsHtml(Sample().Of("2026-06-01..2026-06-02")),
              AllOf(HasSubstr("<td>99,95\u00a0%</td>"), HasSubstr("<td>2\u00a0t</td>")));
}

TEST(Html, TablesHaveCaptionsAndHeadersWithScope) {
  const std::string page = Page(Sample().Of("2026-06"));
  size_t tables = 0;
  for (size_t at = 0; (at = page.find("<table>", at)) != std::string::npos; ++at, ++tables) {
    EXPECT_EQ(page.substr(at, 17), "<table>\n<caption>");
  }
  EXPECT_GE(tables, 5U);
  EXPECT_EQ(page.find("<th>"), std::string::npos);
  EXPECT_THAT(page,
              AllOf(HasSubstr("<html lang=\"nb\">"), HasSubstr("<main>"), HasSubstr("<title>"),
                    HasSubstr("<th scope=\"col\">"), HasSubstr("<th scope=\"row\">")));
}

TEST(Html, EscapesEverything) {
  EXPECT_EQ(EscapeHtml("<a href='x' title=\"y\">&\x01"),
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp; ");
}

TEST(Words, NeverRoundUp) {
  EXPECT_EQ(nb::ShareWords(999'996, 1'000'000, false), "99,999 %");
  EXPECT_EQ(nb::ShareWords(5, 5, true), "100,000 %");
  EXPECT_EQ(nb::ShareWords(5, 5, false), "99,999 %");  // some of it was unknown
  EXPECT_EQ(nb::ShareWords(0, 0, true), "–");
  EXPECT_EQ(nb::TargetWords({100'000'000}), "100 %");
  EXPECT_EQ(nb::TargetWords({99'950'000}), "99,95 %");
  EXPECT_EQ(nb::TargetWords({1}), "0,000001 %");
  EXPECT_EQ(nb::DurationWords(0), "0 s");
  EXPECT_EQ(nb::DurationWords(999), "under 1 s");
  EXPECT_EQ(nb::DurationWords(90'061'999), "1 d 1 t 1 min 1 s");
  EXPECT_EQ(nb::PeriodWords("2026-Q3"), "3. kvartal 2026");
  EXPECT_EQ(nb::PeriodWords("2026-07"), "juli 2026");
  EXPECT_EQ(nb::PeriodWords("2026"), "2026");
}

}  // namespace
}  // namespace oppetid::collector
