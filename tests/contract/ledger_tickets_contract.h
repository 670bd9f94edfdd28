// What every engine of the ledger promises of tickets and their sources; the rest stands in
// ledger_contract.h, and an engine's test includes both.
#pragma once

#include "tests/contract/ledger_contract.h"

namespace oppetid::collector {

// A ticket's event as text: "0 new", "30 open responded P2 @5", seconds as in At.
inline std::string TellEvent(const TicketEvent& event) {
  std::string text = Secs(event.at) + " " + event.status;
  if (event.responded) text += " responded";
  if (event.removed) text += " removed";
  for (const std::string* value :
       {&event.municipality, &event.kind, &event.priority, &event.service}) {
    if (!value->empty()) text += " " + *value;
  }
  return text + " @" + Secs(event.recorded_at);
}

inline std::vector<std::string> Tickets(const Ledger& ledger, Instant before = At(1'000'000)) {
  std::vector<std::string> told;
  const auto reader = ledger.OpenReader();
  const absl::Status status = (*reader)->ForEachTicket(before, [&](const Ticket& ticket) {
    std::string text = absl::StrCat(ticket.id, " of ", ticket.source, ": ", ticket.municipality,
                                    " ", ticket.kind, " ", ticket.priority, " ", ticket.service);
    for (const TicketEvent& event : ticket.events) text += ", " + TellEvent(event);
    if (ticket.satisfaction) {
      absl::StrAppend(&text, ", answer ", ticket.satisfaction->score, " ",
                      Secs(ticket.satisfaction->at), " @", Secs(ticket.satisfaction->recorded_at));
    }
    for (const Answer& its : ticket.earlier_answers) {
      absl::StrAppend(&text, ", before ", its.score, " ", Secs(its.at), " @",
                      Secs(its.recorded_at));
    }
    told.push_back(text);
  });
  EXPECT_TRUE(status.ok()) << status;
  return told;
}

inline TicketEventWrite EventOf(int64_t at, const std::string& status, const std::string& key = "",
                                int64_t order = 0) {
  TicketEventWrite write;
  write.event.at = At(at);
  write.event.status = status;
  write.key = key;
  write.order = order;
  return write;
}

inline TicketWrite ExampleTicket(std::vector<TicketEventWrite> events) {
  TicketWrite ticket;
  ticket.source = "rt";
  ticket.id = "rt-7";
  ticket.municipality = "vik";
  ticket.kind = "incident";
  ticket.priority = "P3";
  ticket.service = "email";
  ticket.events = std::move(events);
  return ticket;
}

inline Batch BatchOf(std::vector<TicketWrite> tickets) {
  Batch batch;
  batch.tickets = std::move(tickets);
  return batch;
}

TEST_P(LedgerContract, KeepsATicketWithItsEventsOnce) {
  TicketWrite ticket = ExampleTicket({EventOf(0, "new"), EventOf(30, "open")});
  ticket.events[1].event.responded = true;
  ticket.events[1].event.priority = "P2";
  ticket.satisfaction = Answer{4, At(90), {}};
  Commit(BatchOf({ticket}), 100);
  const std::string once =
      "rt-7 of rt: vik incident P3 email, 0 new @100, 30 open responded P2 @100, "
      "answer 4 90 @100";
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(once));
  EXPECT_EQ(ledger_->newest_record(), At(100));
  Commit(BatchOf({ticket, ticket}), 200);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(once));
  Reopen();
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(once));
  EXPECT_THAT(Tickets(*ledger_, At(0)), testing::IsEmpty()) << "nothing had happened to it yet";
  EXPECT_THAT(Tickets(*ledger_, At(1)), testing::SizeIs(1));
}

TEST_P(LedgerContract, OrdersTheEventsOfATicketAsTheSourceDoes) {
  const auto a = EventOf(0, "new", "1", 1), b = EventOf(60, "open", "2", 2),
             c = EventOf(60, "resolved", "3", 3), d = EventOf(30, "open", "4", 4);
  const std::string wanted =
      "rt-7 of rt: vik incident P3 email, 0 new @5, 30 open @5, 60 open @5, 60 resolved @5";
  Commit(BatchOf({ExampleTicket({a, b, c, d})}), 5);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(wanted));
  ledger_.reset();
  place_ = GetParam()();
  Reopen();
  for (const auto& event : {d, c, b, a}) Commit(BatchOf({ExampleTicket({event})}), 5);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(wanted));
}

TEST_P(LedgerContract, RecordsWhatASourceTellsOtherwiseLater) {
  Commit(BatchOf({ExampleTicket({EventOf(0, "new", "1", 1), EventOf(60, "open", "2", 2)})}), 70);
  TicketWrite other =
      ExampleTicket({EventOf(0, "new", "1", 1), EventOf(60, "waiting_customer", "2", 2)});
  other.municipality = "os";
  other.satisfaction = Answer{2, At(80), {}};
  Commit(BatchOf({other}), 90);
  const std::string wanted =
      "rt-7 of rt: vik incident P3 email, 0 new @70, 0 new os @90, 60 open @70, "
      "60 waiting_customer @90, answer 2 80 @90";
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(wanted));
  Commit(BatchOf({other}), 95);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(wanted));
}

// What it is told to be last holds, also where that is what it was at first.
TEST_P(LedgerContract, GoesBackToAnEarlierValueOfATicket) {
  TicketWrite at_first = ExampleTicket({EventOf(0, "new", "1", 1), EventOf(60, "open", "2", 2)});
  TicketWrite urgent = at_first;
  urgent.priority = "P1";
  int64_t now = 100;
  for (const TicketWrite& told : {at_first, urgent, at_first, urgent, urgent}) {
    Commit(BatchOf({told, told}), now++);
  }
  EXPECT_THAT(Tickets(*ledger_),
              testing::ElementsAre("rt-7 of rt: vik incident P3 email, 0 new @100, 0 new P1 @101, "
                                   "0 new P3 @102, 0 new P1 @103, 60 open @100"));
  const auto events = Tickets(*ledger_);
  urgent.service.clear();
  for (int i = 0; i < 2; ++i) Commit(BatchOf({urgent}), now++);
  EXPECT_EQ(Tickets(*ledger_), events) << "a value that is no longer told changes nothing";
  // One who tells events singly repeats the values at creation with each.
  ledger_.reset();
  place_ = GetParam()();
  Reopen();
  TicketWrite raised = ExampleTicket({EventOf(0, "new")});
  raised.events[0].event.priority = "P1";
  const TicketWrite plain = ExampleTicket({EventOf(0, "new")});
  for (const TicketWrite& told : {plain, raised, plain}) Commit(BatchOf({told}), now++);
  EXPECT_THAT(Tickets(*ledger_),
              testing::ElementsAre("rt-7 of rt: vik incident P3 email, 0 new @107, 0 new P1 @108"));
}

// A report as known before the second answer has the first.
TEST_P(LedgerContract, KeepsTheAnswersBeforeTheNewest) {
  TicketWrite ticket = ExampleTicket({EventOf(0, "new")});
  ticket.satisfaction = Answer{5, At(80), {}};
  Commit(BatchOf({ticket}), 90);
  ticket.satisfaction = Answer{1, At(120), {}};
  Commit(BatchOf({ticket, ticket}), 130);
  EXPECT_THAT(Tickets(*ledger_),
              testing::ElementsAre("rt-7 of rt: vik incident P3 email, 0 new @90, "
                                   "answer 1 120 @130, before 5 80 @90"));
}

// A resolution that a snapshot no longer tells was undone, nobody knows when: at once, then.
TEST_P(LedgerContract, OpensAgainWhatASnapshotNoLongerTellsAsResolved) {
  TicketWrite first = ExampleTicket({EventOf(0, "new"), EventOf(60, "resolved", "", 1)});
  TicketWrite later = ExampleTicket({EventOf(0, "new"), EventOf(200, "resolved", "", 1)});
  TicketWrite open = ExampleTicket({EventOf(0, "new")});
  first.snapshot = At(100);
  later.snapshot = At(300);
  open.snapshot = At(400);
  Commit(BatchOf({first, first}), 100);
  EXPECT_THAT(
      Tickets(*ledger_),
      testing::ElementsAre("rt-7 of rt: vik incident P3 email, 0 new @100, 60 resolved @100"));
  Commit(BatchOf({later, later}), 300);
  const std::string both =
      "rt-7 of rt: vik incident P3 email, 0 new @100, 60 resolved @100, 60 open @300, "
      "200 resolved @300";
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(both));
  Commit(BatchOf({open, open}), 400);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(both + ", 200 open @400"));
  TicketWrite events = ExampleTicket({EventOf(0, "new")});  // no snapshot says nothing of the rest
  Commit(BatchOf({later, events}), 500);
  EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(both + ", 200 open @400"));
}

// An old file that is read again does not undo what a later one told.
TEST_P(LedgerContract, ASnapshotFromBeforeAnotherUndoesNothing) {
  TicketWrite open = ExampleTicket({EventOf(0, "new")});
  TicketWrite resolved = ExampleTicket({EventOf(0, "new"), EventOf(60, "resolved", "", 1)});
  resolved.priority = "P1";
  open.snapshot = At(50);
  resolved.snapshot = At(70);
  const std::string wanted =
      "rt-7 of rt: vik incident P3 email, 0 new @80, 0 new P1 @81, 60 resolved @81";
  for (int64_t now = 80; now < 90;) {
    Commit(BatchOf({open}), now++);
    Commit(BatchOf({resolved}), now++);
    EXPECT_THAT(Tickets(*ledger_), testing::ElementsAre(wanted));
  }
}

TEST_P(LedgerContract, RemovesOnlyATicketThatItHas) {
  TicketWrite gone = ExampleTicket({EventOf(50, "closed", "gone")});
  gone.events[0].event.removed = true;
  gone.only_if_known = true;
  gone.municipality.clear();
  Commit(BatchOf({gone}), 60);
  EXPECT_THAT(Tickets(*ledger_), testing::IsEmpty());
  Commit(BatchOf({ExampleTicket({EventOf(0, "new")}), gone}), 70);
  EXPECT_THAT(
      Tickets(*ledger_),
      testing::ElementsAre("rt-7 of rt: vik incident P3 email, 0 new @70, 50 closed removed @70"));
}

TEST_P(LedgerContract, FindsOneTicket) {
  TicketWrite another = ExampleTicket({EventOf(9, "new")});
  another.id = "rt-71";
  Commit(BatchOf({ExampleTicket({EventOf(0, "new"), EventOf(1, "open")}), another}), 5);
  const auto reader = ledger_->OpenReader();
  const auto found = (*reader)->FindTicket("rt-7");
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->events.size(), 2U);
  EXPECT_EQ(*(*reader)->FindTicket("rt-"), std::nullopt);
}

TEST_P(LedgerContract, KeepsHowFarASourceWasReadWithWhatWasRead) {
  Batch batch = BatchOf({ExampleTicket({EventOf(0, "new")})});
  batch.cursors.push_back({"rt", "m1", At(9), "17", At(10), At(3)});
  batch.cursors.push_back({"file", "m2", At(8), "", At(10), At(4)});
  Commit(batch, 20);
  batch.cursors[0].token = "18";
  Commit(batch, 21);
  Reopen();
  const auto cursors = (*ledger_->OpenReader())->SourceCursors();
  ASSERT_TRUE(cursors.ok()) << cursors.status();
  EXPECT_THAT(*cursors, testing::ElementsAre(batch.cursors[1], batch.cursors[0]));
  place_->Break();
  batch.cursors[0].token = std::string(500'000, 'x');
  batch.tickets[0].id = "rt-8";
  EXPECT_FALSE(ledger_->Commit(batch, At(22)).ok());
  place_->Mend();
  EXPECT_EQ((*ledger_->OpenReader())->SourceCursors()->back().token, "18");
  EXPECT_THAT(Tickets(*ledger_), testing::SizeIs(1));
}

}  // namespace oppetid::collector
