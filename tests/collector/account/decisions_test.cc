// What people may decide, what is said when they may not, and what all acts add up to.
#include "collector/account/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/account/decisions_json.h"
#include "collector/account/when.h"
#include "tests/support/pretended_ledger.h"

namespace oppetid::collector {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const char kCatalogue[] =
    R"({"yaml":"municipalities: [{id: vennesla}, {id: songdalen}]\n)"
    R"(services:\n)"
    R"(  - {id: email, municipalities: [vennesla], target: 99 %, up_when: h/a}\n)"
    R"(  - {id: network, municipalities: [vennesla, songdalen], target: 99 %,)"
    R"( up_when: h/b, maintenance_notice: 24h}\n"})";

Instant At(const std::string& text) { return ParseInstant(text).value(); }

class DecisionsTest : public testing::Test {
 protected:
  DecisionsTest() { Tell(acts::kCatalogueApplied, kCatalogue); }

  void Tell(const std::string& kind, const std::string& body, const std::string& who = "drift1",
            const std::string& on_behalf_of = "") {
    Append(acts_, now_, kind, body, who, on_behalf_of);
    agreements_.Tell(acts_.back());
  }
  absl::StatusOr<Decision> Try(const std::string& wish) {
    return Decide(wish, agreements_, acts_.size() + 1, now_);
  }
  std::string Refusal(const std::string& wish) {
    const auto decision = Try(wish);
    return decision.ok() ? "accepted: " + decision->body : std::string(decision.status().message());
  }
  // Decides and tells it.
  Decision Do(const std::string& wish) {
    auto decision = Try(wish);
    EXPECT_TRUE(decision.ok()) << decision.status();
    if (!decision.ok()) return {};
    Tell(decision->kind, decision->body);
    return *decision;
  }

  Instant now_ = At("2026-07-20T12:00:00Z");
  std::vector<Act> acts_;
  Agreements agreements_;
};

// A wish to announce a window over email in Vennesla, with parts of it changed.
std::string Announce(const std::string& from = "2026-07-25 20:00",
                     const std::string& to = "2026-07-25 22:00", const std::string& more = "",
                     const std::string& services = "[\"email\"]",
                     const std::string& municipalities = "[\"vennesla\"]") {
  return R"({"do":"announce","services":)" + services + R"(,"municipalities":)" + municipalities +
         R"(,"from":")" + from + R"(","to":")" + to + R"(","reason":"Patching")" + more + "}";
}

std::string Correct(const std::string& from, const std::string& to, const std::string& as,
                    const std::string& verb = "correct") {
  return R"({"do":")" + verb + R"(","services":["email"],"municipalities":["*"],"from":")" + from +
         R"(","to":")" + to + "\"" + (as.empty() ? "" : R"(,"as":")" + as + "\"") +
         R"(,"reason":"Fibre cut","reference":"RT-7"})";
}

TEST_F(DecisionsTest, AnnouncesAWindowInLocalTime) {
  const Decision decision = Do(Announce());
  EXPECT_EQ(decision.kind, "maintenance_announced");
  EXPECT_EQ(decision.id, "m-2");
  EXPECT_THAT(decision.remarks, IsEmpty());
  const Maintenance& window = agreements_.decisions().maintenance.at("m-2");
  EXPECT_EQ(window.when.from, At("2026-07-25T18:00:00Z"));
  EXPECT_EQ(window.when.to, At("2026-07-25T20:00:00Z"));
  EXPECT_EQ(window.announced_at, now_);
  EXPECT_EQ(window.recorded_at, now_);
  EXPECT_EQ(window.by, "drift1");
  EXPECT_THAT(window.services.names, ElementsAre("email"));
}

TEST_F(DecisionsTest, SaysWhenAWindowComesTooLateToBePlanned) {
  const auto late =
      Try(Announce("2026-07-22T12:00:00Z", "2026-07-22T13:00:00Z", "", R"(["email","network"])"));
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_THAT(late->remarks,
              ElementsAre("email: not planned maintenance, because it was announced less than 3d "
                          "ahead; it excludes nothing"));
}

TEST_F(DecisionsTest, AnImportedWindowKeepsBothInstants) {
  const Decision decision = Do(Announce("2026-07-21T12:00:00Z", "2026-07-21T13:00:00Z",
                                        R"(,"announced_at":"2026-07-01 09:00")"));
  EXPECT_THAT(decision.remarks, ElementsAre(HasSubstr("announced elsewhere")));
  const Maintenance& window = agreements_.decisions().maintenance.at("m-2");
  EXPECT_EQ(window.announced_at, At("2026-07-01T07:00:00Z"));
  EXPECT_EQ(window.recorded_at, now_);
  EXPECT_THAT(DecisionsAsJson(agreements_, now_),
              AllOf(HasSubstr(R"("imported":true)"), HasSubstr(R"("planned":{"email":true})")));
}

TEST_F(DecisionsTest, RefusesWithWhatIsAllowed) {
  const std::string later = "2026-07-25 22:00";
  const std::vector<std::pair<std::string, std::string>> table = {
      {Announce("2026-07-25 22:00", "2026-07-25 20:00"), "it ends before it starts"},
      {Announce("2026-07-25 22:00", "2026-07-25 22:00"), "it ends before it starts"},
      {Announce("tomorrow"), "`from`: `tomorrow` is not an instant; allowed: local time as in"},
      {Announce("2026-02-29 10:00", later), "`2026-02-29 10:00` is not an instant"},
      {Announce("2026-07-25 25:00", later), "is not an instant"},
      {Announce("2026-03-29 02:30", later),
       "`2026-03-29 02:30` does not exist: the clocks go forward over it"},
      {Announce("2026-07-24 02:30", "2026-10-25 02:30"),
       "exists twice, because the clocks go back; allowed: 2026-10-25T02:30:00+02:00 or "
       "2026-10-25T02:30:00+01:00"},
      {Announce("2026-07-25 20:00", later, "", R"(["emial"])"),
       "`services`: `emial` is not in the catalogue (did you mean `email`?)"},
      {Announce("2026-07-25 20:00", later, "", R"(["email","email"])"), "`email` stands twice"},
      {Announce("2026-07-25 20:00", later, "", R"(["*","email"])"), "* means all and stands alone"},
      {Announce("2026-07-25 20:00", later, "", "[]"), "`services` is missing"},
      {Announce("2026-07-25 20:00", later, "", "[7]"), "is not in the catalogue"},
      {Announce("2026-07-25 20:00", later, "", R"(["email"])", R"(["venesla"])"),
       "did you mean `vennesla`?"},
      {Announce("2026-07-25 20:00", later, "", R"(["email"])", R"(["songdalen"])"),
       "it covers nothing"},
      {Announce("2026-07-25 20:00", later, R"(,"announced_at":"2026-08-01T00:00:00Z")"),
       "`announced_at` 2026-08-01T00:00:00.000Z is in the future"},
      {Announce("2026-07-25 20:00", later, R"(,"colour":"red")"), "unknown key `colour`"},
      {Announce("2026-07-25 20:00", later, R"(,"refrence":"x")"), "did you mean `reference`?"},
      {R"({"do":"announce","services":["email"],"municipalities":["*"]})",
       "`from` is missing\n`to` is missing\n`reason` is missing"},
      {Correct("2026-07-19 20:00", "2026-07-20 20:00", "down"), "is in the future"},
      {Correct("2026-07-19 20:00", "2026-07-19 21:00", "unknown"),
       "`unknown` is not one of up, down, excluded"},
      {Correct("2026-07-19 20:00", "2026-07-19 21:00", ""), "`as` is missing"},
      {Correct("2026-07-19 20:00", "2026-07-19 21:00", "", "fix"), "`do`: `fix`; allowed:"},
      {R"({"do":"cancel","id":"m-9","reason":"r"})", "no maintenance window has the id `m-9`"},
      {R"({"do":"revoke","id":"c-9","reason":"r"})", "no correction has the id `c-9`"},
      {R"({"do":"revoke","id":"c-9"})", "`reason` is missing"},
      {R"({"do":"annotate","service":"email","municipality":"x","at":"2026-07-19 20:00",)"
       R"("note":"n"})",
       "`municipality`: `x` is not in the catalogue"},
      {R"({"do":"annotate","service":"email","municipality":"vennesla","at":"2026-07-29 20:00",)"
       R"("note":"n"})",
       "is in the future"},
      {R"({"do":"annotate","service":"email","municipality":"songdalen",)"
       R"("at":"2026-07-19 20:00","note":"n"})",
       "email is not delivered to `songdalen`"},
      {R"({"do":"annotate","service":"email","municipality":"vennesla","at":"2026-07-19 20:00",)"
       R"("note":"n","reference":7})",
       "`reference`: expected text"},
      {"[]", "expected a JSON object"},
      {"{", "expected a JSON object"},
      {"{}", "`do`: ``; allowed: announce, cancel"},
      {R"({"do":"revoke","id":"c-1","reason":"two\nlines"})", "one line of at most 1000 bytes"}};
  for (const auto& [wish, what] : table) EXPECT_THAT(Refusal(wish), HasSubstr(what)) << wish;
}

TEST_F(DecisionsTest, NothingCanBeDecidedBeforeThereIsACatalogue) {
  agreements_ = Agreements();
  EXPECT_THAT(Refusal(Announce()), HasSubstr("there is no catalogue yet"));
}

TEST_F(DecisionsTest, CorrectsAndRevokesOnce) {
  EXPECT_EQ(Do(Correct("2026-07-19 20:00", "2026-07-19 21:00", "excluded")).id, "c-2");
  const Correction& correction = agreements_.decisions().corrections.at("c-2");
  EXPECT_EQ(correction.as, Override::kExcluded);
  EXPECT_TRUE(correction.municipalities.all);
  EXPECT_EQ(correction.reason, "Fibre cut [RT-7]");
  EXPECT_THAT(Refusal(R"({"do":"cancel","id":"c-2","reason":"r"})"), HasSubstr("no maintenance"));
  const Decision revoked = Do(R"({"do":"revoke","id":"c-2","reason":"Wrong date"})");
  EXPECT_EQ(revoked.id, "c-2");
  ASSERT_THAT(agreements_.decisions().revocations, SizeIs(1));
  EXPECT_EQ(agreements_.decisions().revocations[0].revokes, "c-2");
  EXPECT_THAT(Refusal(R"({"do":"revoke","id":"c-2","reason":"again"})"),
              HasSubstr("c-2 was revoked already, at 2026-07-20T12:00:00.000Z by drift1"));
}

TEST_F(DecisionsTest, AnOutageKnownFromATicketIsACorrectionToDown) {
  const std::string wish = Correct("2026-07-19 20:00", "2026-07-19 21:00", "", "report_outage");
  const Decision decision = Do(wish);
  EXPECT_EQ(decision.kind, "outage_reported");
  EXPECT_EQ(agreements_.decisions().corrections.at("c-2").as, Override::kDown);
  EXPECT_THAT(DecisionsAsJson(agreements_, now_),
              AllOf(HasSubstr(R"("outage":true)"), HasSubstr(R"("reference":"RT-7")")));
  std::string without = wish;
  without.replace(without.find(R"(,"reference":"RT-7")"), 19, "");
  EXPECT_EQ(Refusal(without), "`reference` is missing");
}

TEST_F(DecisionsTest, NotesAreKeptBesideTheFigures) {
  Do(R"({"do":"annotate","service":"email","municipality":"vennesla","at":"2026-07-19 20:00",)"
     R"("note":"Supplier informed","reference":"CHG-1"})");
  ASSERT_THAT(agreements_.notes(), SizeIs(1));
  EXPECT_EQ(agreements_.notes()[0].at, At("2026-07-19T18:00:00Z"));
  EXPECT_THAT(agreements_.decisions().corrections, IsEmpty());
  EXPECT_THAT(DecisionsAsJson(agreements_, now_), HasSubstr(R"("note":"Supplier informed")"));
}

TEST_F(DecisionsTest, OnBehalfOfStandsBesideWho) {
  const auto decision = Try(Announce());
  Tell(decision->kind, decision->body, "drift2", "Kari Nordmann");
  EXPECT_EQ(agreements_.decisions().maintenance.at("m-2").by, "drift2 on behalf of Kari Nordmann");
  EXPECT_THAT(DecisionsAsJson(agreements_, now_),
              HasSubstr(R"("who":"drift2","on_behalf_of":"Kari Nordmann")"));
}

TEST_F(DecisionsTest, ForeignActsAndBrokenBodiesChangeNothing) {
  Tell("token_created", "{}");
  Tell(acts::kCorrectionAdded, "no JSON");
  EXPECT_THAT(agreements_.decisions().corrections, IsEmpty());
  Tell(acts::kCorrectionAdded, R"({"services":7,"from":[]})");
  EXPECT_THAT(agreements_.decisions().corrections, SizeIs(1));  // covers nothing, holds nothing
}

TEST_F(DecisionsTest, ABrokenChainIsNotBelieved) {
  PretendedLedger ledger;
  ledger.acts = acts_;
  Agreements read;
  EXPECT_TRUE(TellAll(ledger, read).ok());
  EXPECT_THAT(read.versions(), SizeIs(1));
  ledger.acts[0].who = "somebody else";
  EXPECT_TRUE(absl::IsDataLoss(TellAll(ledger, read)));
}

TEST(When, ReadsLocalAndUniversalTime) {
  const Zone zone = Zone::Find("Europe/Oslo").value();
  for (const auto& [text, instant] : std::vector<std::pair<std::string, std::string>>{
           {"2026-07-10T20:00:00Z", "2026-07-10T20:00:00Z"},
           {"2026-07-10T20:00:00+02:00", "2026-07-10T18:00:00Z"},
           {"2026-07-10 20:00", "2026-07-10T18:00:00Z"},
           {"2026-07-10T20:00", "2026-07-10T18:00:00Z"},
           {"2026-01-10 20:00:30", "2026-01-10T19:00:30Z"},
           {"2028-02-29 12:00", "2028-02-29T11:00:00Z"},
           {"2026-03-29 03:00", "2026-03-29T01:00:00Z"},
           {"2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"}}) {
    const auto when = ParseWhen(text, zone);
    ASSERT_TRUE(when.ok()) << when.status();
    EXPECT_EQ(FormatInstant(*when), FormatInstant(At(instant))) << text;
  }
  EXPECT_EQ(FormatLocal(At("2026-07-10T18:00:00Z"), zone), "2026-07-10T20:00:00+02:00");
  EXPECT_EQ(FormatLocal(At("2026-07-10T18:00:00Z"), Zone::Find("America/St_Johns").value()),
            "2026-07-10T15:30:00-02:30");
  for (const char* text : {"", "2026-07-10", "20:00", "2026-07-10 2000", "2026-07-10 20:60",
                           "2026-07-10 20:00:00.5", "2026-13-10 20:00", "2026-07-10_20:00"}) {
    EXPECT_FALSE(ParseWhen(text, zone).ok()) << text;
  }
}

}  // namespace
}  // namespace oppetid::collector
