#include "collector/tickets/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "collector/tickets/ticket_json.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Instant kNow = FromUnixMillis(1'800'000'000'000);
Instant Minute(int64_t minutes) { return kNow - Millis(1000 * 60'000) + Millis(minutes * 60'000); }

TicketMapping Mapping() {
  TicketMapping mapping;
  mapping.municipality.words = {{"Vik kommune", "vik"}};
  mapping.kind.words = {{"*", "incident"}};
  mapping.priority.words = {{"80-100", "P1"}, {"-5-79", "P3"}, {"haster", "P2"}};
  mapping.status.words = {
      {"ny", "new"}, {"åpen", "open"}, {"venter", "waiting_customer"}, {"løst", "resolved"}};
  mapping.service.words = {{"E-post", "email"}};
  return mapping;
}

RawEvent Event(int64_t minute, const std::string& status) {
  RawEvent event;
  event.at = Minute(minute);
  event.order = minute;
  event.status = status;
  return event;
}

RawTicket Raw(std::vector<RawEvent> events) {
  RawTicket raw;
  raw.id = "17";
  raw.municipality = "Vik kommune";
  raw.kind = "Hendelse";
  raw.priority = "90";
  raw.events = std::move(events);
  return raw;
}

std::string Told(const RawTicket& raw, const TicketMapping& mapping = Mapping()) {
  const MappedTicket mapped = MapTicket("desk", raw, mapping, kNow);
  std::string text;
  if (mapped.ticket) {
    const TicketWrite& its = *mapped.ticket;
    text = absl::StrCat(its.id, " ", its.municipality, " ", its.kind, " ", its.priority);
    if (!its.service.empty()) text += " " + its.service;
    for (const TicketEventWrite& write : its.events) {
      const int64_t minute = (write.event.at - Minute(0)) / Millis(60'000);
      absl::StrAppend(&text, ", ", minute, " ", write.event.status);
      if (write.event.responded) text += " responded";
      for (const std::string& its_new :
           {write.event.municipality, write.event.kind, write.event.priority}) {
        if (!its_new.empty()) text += " " + its_new;
      }
    }
    if (its.satisfaction) absl::StrAppend(&text, ", answer ", its.satisfaction->score);
  }
  for (const Unmapped& missing : mapped.unmapped) text += " ?" + missing.what + "=" + missing.word;
  if (!mapped.reason.empty()) text += " !" + mapped.reason;
  return text;
}

TEST(Mapping, TurnsWordsIntoOurs) {
  RawEvent raised = Event(3, "");
  raised.priority = "haster";
  RawEvent reply = Event(5, "åpen");
  reply.responded = true;
  EXPECT_EQ(Told(Raw({Event(0, "ny"), raised, reply, Event(9, "løst")})),
            "desk-17 vik incident P1, 0 new, 3 new P2, 5 open responded, 9 resolved");
}

TEST(Mapping, GuessesNothing) {
  RawTicket raw = Raw({Event(0, "ny"), Event(1, "parkert"), Event(2, "løst")});
  raw.municipality = "Os kommune";
  raw.priority = "101";
  EXPECT_EQ(Told(raw), " ?municipality=Os kommune ?priority=101 ?status=parkert");
  raw = Raw({Event(0, "ny")});
  raw.service = "Telefoni";
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new ?service=Telefoni");
  TicketMapping wrong = Mapping();
  wrong.kind.words["*"] = "oppgave";
  EXPECT_EQ(Told(Raw({Event(0, "ny")}), wrong), " ?kind=Hendelse");
}

TEST(Mapping, KnowsRangesOfNumbers) {
  const TicketMapping mapping = Mapping();
  EXPECT_EQ(mapping.priority.Find("80"), "P1");
  EXPECT_EQ(mapping.priority.Find("79"), "P3");
  EXPECT_EQ(mapping.priority.Find("-5"), "P3");
  EXPECT_EQ(mapping.priority.Find("-6"), std::nullopt);
  EXPECT_EQ(mapping.priority.Find("80x"), std::nullopt);
  EXPECT_EQ(mapping.priority.Find(""), std::nullopt);
}

TEST(Mapping, CountsAnAnswerToTheCustomerAsTheResponse) {
  RawEvent reply = Event(5, "");
  reply.responded = true;
  const RawTicket raw = Raw({Event(0, "ny"), Event(2, "åpen"), reply, Event(6, "venter")});
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new, 5 open responded, 6 waiting_customer");
  TicketMapping by_status = Mapping();
  by_status.responded_by_reply = false;
  EXPECT_THAT(Told(raw, by_status), HasSubstr(", 2 open, 5 open responded,"));
}

TEST(Mapping, LetsACustomersReplyEndThePauseWhereAgreed) {
  RawEvent answered = Event(1, "åpen");
  answered.responded = true;
  RawEvent reply = Event(9, "");
  reply.customer_reply = true;
  const RawTicket raw =
      Raw({Event(0, "ny"), answered, Event(5, "venter"), reply, Event(20, "åpen")});
  EXPECT_THAT(Told(raw), HasSubstr(", 5 waiting_customer, 20 open"));
  TicketMapping agreed = Mapping();
  agreed.customer_reply_ends_pause = true;
  EXPECT_THAT(Told(raw, agreed), HasSubstr(", 5 waiting_customer, 9 open"));
  EXPECT_THAT(Told(raw, agreed), Not(HasSubstr("20 open"))) << "nothing changed there";
}

TEST(Mapping, SortsEventsAndLetsTheFirstBeTheCreation) {
  EXPECT_EQ(Told(Raw({Event(9, "løst"), Event(0, "ny"), Event(-3, "ny")})),
            "desk-17 vik incident P1, -3 new, 9 resolved");
}

TEST(Mapping, RefusesWhatCannotBe) {
  EXPECT_EQ(Told(Raw({})), " !no event");
  EXPECT_EQ(Told(Raw({Event(0, "ny"), Event(1'000 + 61, "løst")})),
            " !an event lies in the future");
  RawTicket raw = Raw({Event(0, "ny")});
  raw.id = "=1+1";
  EXPECT_EQ(Told(raw), " !`id`: not the id of a ticket");
  raw = Raw({Event(0, "ny")});
  raw.answer = RawAnswer{"6", Minute(9)};
  EXPECT_EQ(Told(raw),
            "desk-17 vik incident P1, 0 new !satisfaction: not a whole number from 1 "
            "to 5; left out");
  raw.answer->score = "5";
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new, answer 5");
}

TEST(Mapping, TakesTheStatusOfNowAsFarAsItsInstantIsKnown) {
  RawTicket raw = Raw({Event(0, "ny")});
  raw.now = RawNow{"venter", Minute(7)};
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new, 7 waiting_customer");
  raw.now->at.reset();
  EXPECT_THAT(Told(raw), HasSubstr("says not since when"));
  raw.now = RawNow{"åpen", std::nullopt};
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new") << "nobody has answered";
  raw.now = RawNow{"løst", Minute(7)};
  EXPECT_THAT(Told(raw), HasSubstr("not since when")) << "changed last is not resolved";
  raw.events.push_back(Event(5, "løst"));
  EXPECT_EQ(Told(raw), "desk-17 vik incident P1, 0 new, 5 resolved");
  raw.now = RawNow{"venter", Minute(4)};
  EXPECT_THAT(Told(raw), HasSubstr("before its newest event"));
  raw.now = RawNow{"hm", Minute(9)};
  EXPECT_EQ(Told(raw), " ?status=hm");
}

std::string Line(const std::string& from, const std::string& to) {
  std::string line =
      R"({"type":"ticket","id":"A-1","municipality":"vik","kind":"incident","priority":"P3",)"
      R"("events":[{"at":"2026-07-02T06:10:00Z","status":"new"},)"
      R"({"at":"2026-07-02T06:41:00Z","status":"open","responded":true,"priority":"P2"}],)"
      R"("satisfaction":{"score":4,"at":"2026-07-04T10:00:00Z"}})";
  if (!from.empty()) line.replace(line.find(from), from.size(), to);
  return line;
}

// The line back as the ledger would tell it, or why not.
std::string Through(const std::string& line) {
  const TicketLine read = ReadTicketLine(line);
  if (!read.ticket) return read.reason;
  const MappedTicket mapped = MapTicket("x", *read.ticket, NeutralMapping(), kNow);
  if (!mapped.ticket) return NeutralReason(mapped);
  Ticket ticket{read.ticket->id,
                "",
                mapped.ticket->municipality,
                mapped.ticket->kind,
                mapped.ticket->priority,
                mapped.ticket->service,
                {},
                mapped.ticket->satisfaction,
                {}};
  for (const TicketEventWrite& write : mapped.ticket->events) ticket.events.push_back(write.event);
  return TicketJson(ticket);
}

TEST(TicketLine, GoesThroughUnchanged) {
  std::string told = Through(Line("", ""));
  for (size_t at; (at = told.find(",\"recorded_at\":\"1970-01-01T00:00:00.000Z\"")) != told.npos;) {
    told.erase(at, 41);
  }
  for (size_t at; (at = told.find(".000Z")) != told.npos;) told.erase(at, 4);
  EXPECT_EQ(told, Line("", "") + "\n");
}

TEST(TicketLine, SaysWhyNotWithoutRepeatingWhatStoodThere) {
  EXPECT_THAT(Through("{"), HasSubstr("not one JSON object"));
  EXPECT_THAT(Through(Line("\"id\":\"A-1\"", "\"id\":\"A-1\",\"id\":\"x\"")),
              HasSubstr("each key once"));
  EXPECT_EQ(Through(Line("\"score\":4", "\"score\":6")),
            "satisfaction: `score`: expected a whole number from 1 to 5");
  EXPECT_EQ(Through(Line("\"P3\"", "\"P9\"")), "`priority`: not one of P1 P2 P3 P4 P5");
  EXPECT_EQ(Through(Line("\"vik\"", "\"Kari Nordmann\"")),
            "`municipality`: expected 1 to 63 of a-z, 0-9, - and .");
  EXPECT_EQ(Through(Line("06:41:00Z", "24:41:00Z")),
            "events[1]: `at`: not an instant; allowed: RFC 3339, as in 2026-07-01T00:00:00.000Z");
  EXPECT_EQ(Through(Line("\"status\":\"open\"", "\"status\":\"pending\"")),
            "`status`: not one of new open waiting_customer waiting_supplier resolved closed");
  const std::string told = Through(Line("\"type\"", "\"subject\":\"Kari\",\"type\""));
  EXPECT_THAT(told, HasSubstr("a key that is not allowed"));
  EXPECT_THAT(told, Not(HasSubstr("Kari")));
  EXPECT_THAT(Through(Line("2026-07-02T06:41", "2127-07-02T06:41")), HasSubstr("in the future"));
}

}  // namespace
}  // namespace oppetid::collector
