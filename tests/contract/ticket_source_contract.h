// What every source of tickets promises (collector/tickets/ticket_source.h), as tests.
//
// A source's test instantiates the suite with a function that makes a `TicketPlace`: a helpdesk
// with the same six tickets, which the source reads. What the mapping and the account make of them
// must be the same whatever the source.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/sla/tickets.h"
#include "collector/tickets/mapping.h"
#include "collector/tickets/ticket_source.h"
#include "common/async.h"

namespace oppetid::collector {

// A helpdesk, somewhere of its own, gone with this object.
class TicketPlace {
 public:
  virtual ~TicketPlace() = default;
  virtual absl::StatusOr<std::unique_ptr<TicketSource>> Make(BlockingPool& pool) = 0;
  virtual const TicketMapping& mapping() const = 0;
  // Nothing before has happened there; now, by its clock.
  virtual Instant since() const = 0;
  virtual Instant now() const = 0;
  // The ids of: answered and resolved; paused; reopened with a score; never answered.
  virtual std::vector<std::string> ids() const = 0;
  // From now on it cannot be asked, until Mend.
  virtual void Break() = 0;
  virtual void Mend() = 0;
};

using MakeTicketPlace = std::unique_ptr<TicketPlace> (*)();

class TicketSourceContract : public testing::TestWithParam<MakeTicketPlace> {
 protected:
  TicketSourceContract() : place_(GetParam()()) {
    auto made = place_->Make(pool_);
    if (made.ok()) source_ = *std::move(made);
    question_.now = place_->now();
    question_.changed_since = place_->since();
  }
  void SetUp() override { ASSERT_NE(source_, nullptr); }

  absl::StatusOr<TicketPage> Read(const TicketQuestion& question) {
    std::optional<absl::StatusOr<TicketPage>> page;
    Spawn(io_.get_executor(), Await(*source_, question, &page), "read");
    io_.restart();
    io_.run();
    return page ? *std::move(page) : absl::InternalError("no answer");
  }
  // Reads to the end, as a round of a poller does; every ticket by id, the last reading of each.
  std::map<std::string, RawTicket> ReadAll(TicketQuestion question) {
    std::map<std::string, RawTicket> all;
    for (int pages = 0; pages < 100; ++pages) {
      auto page = Read(question);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->tickets.size(), TicketSource::kPageTickets);
      EXPECT_GE(page->changed, question.changed_since) << "never back";
      for (RawTicket& ticket : page->tickets) all[ticket.id] = ticket;
      for (const GoneTicket& gone : page->gone) gone_.insert(gone.id);
      question.changed_since = page->changed;
      question.token = page->token;
      question.goes_on = true;
      end_ = question;
      if (!page->more) return all;
    }
    ADD_FAILURE() << "no end";
    return all;
  }
  // What the account says of a ticket, round the clock: "response 30m, resolved 3h, reopened 1".
  std::string Told(const RawTicket& raw) const {
    const MappedTicket mapped = MapTicket("x", raw, place_->mapping(), place_->now());
    if (!mapped.ticket) return "not mapped: " + mapped.reason;
    Ticket ticket{raw.id,
                  "x",
                  mapped.ticket->municipality,
                  mapped.ticket->kind,
                  mapped.ticket->priority,
                  mapped.ticket->service,
                  {},
                  mapped.ticket->satisfaction,
                  {}};
    for (const auto& write : mapped.ticket->events) ticket.events.push_back(write.event);
    Facts facts;
    facts.tickets.emplace(ticket.id, ticket);
    Catalogue catalogue(*Zone::Find("UTC"));
    catalogue.calendars["always"].always = true;
    std::string text;
    ForEachTicketCase(catalogue, facts, std::nullopt, place_->now(),
                      [&](const Ticket&, const TicketCase& its) {
                        text = absl::StrCat(its.municipality, " ", its.kind, " ", its.priority);
                        if (its.response_time) {
                          text += ", response " + FormatDuration(*its.response_time);
                        }
                        if (its.resolution_time) {
                          text += ", resolved " + FormatDuration(*its.resolution_time);
                        }
                        if (!its.reopenings.empty()) {
                          absl::StrAppend(&text, ", reopened ", its.reopenings.size());
                        }
                      });
    if (ticket.satisfaction) absl::StrAppend(&text, ", score ", ticket.satisfaction->score);
    return text;
  }
  // A coroutine of its own: g++ 12 cannot have captures in one.
  static boost::asio::awaitable<void> Await(TicketSource& source, TicketQuestion question,
                                            std::optional<absl::StatusOr<TicketPage>>* into) {
    *into = co_await source.Read(std::move(question));
  }

  boost::asio::io_context io_;
  BlockingPool pool_{"test", 1};
  std::unique_ptr<TicketPlace> place_;
  std::unique_ptr<TicketSource> source_;
  TicketQuestion question_;
  TicketQuestion end_;
  std::set<std::string> gone_;
};

TEST_P(TicketSourceContract, TellsEveryTicketSoThatTheAccountComesOut) {
  const auto all = ReadAll(question_);
  const std::vector<std::string> ids = place_->ids();
  ASSERT_EQ(ids.size(), 4U);
  for (const std::string& id : ids) ASSERT_TRUE(all.contains(id)) << id;
  EXPECT_EQ(Told(all.at(ids[0])), "fjordvik incident P2, response 30m, resolved 3h");
  EXPECT_THAT(Told(all.at(ids[1])),
              testing::HasSubstr("aasdal incident P3, response 10m, resolved "));
  EXPECT_THAT(Told(all.at(ids[2])), testing::HasSubstr("fjordvik incident P1, response 5m, "));
  EXPECT_THAT(Told(all.at(ids[2])), testing::HasSubstr(", score 4"));
  EXPECT_EQ(Told(all.at(ids[3])), "fjordvik incident P2");
}

TEST_P(TicketSourceContract, TellsNothingTwiceOrTheSameAgain) {
  const auto first = ReadAll(question_);
  TicketQuestion again = end_;
  again.goes_on = false;
  for (const auto& [id, ticket] : ReadAll(again)) {
    ASSERT_TRUE(first.contains(id));
    EXPECT_EQ(Told(ticket), Told(first.at(id)));
  }
  const auto anew = ReadAll(question_);
  EXPECT_EQ(anew.size(), first.size());
}

TEST_P(TicketSourceContract, KnowsWhichOfTheAskedForAreGone) {
  TicketQuestion question = question_;
  const std::vector<std::string> ids = place_->ids();
  question.ids = {ids[0], ids[3], "999999"};
  const auto page = Read(question);
  ASSERT_TRUE(page.ok()) << page.status();
  if (!source_->KnowsIds()) {
    EXPECT_TRUE(page->tickets.empty() && page->gone.empty());
    return;
  }
  EXPECT_EQ(page->tickets.size(), 2U);
  ASSERT_EQ(page->gone.size(), 1U);
  EXPECT_EQ(page->gone[0].id, "999999");
}

TEST_P(TicketSourceContract, AnswersWithAStatusWhenItCannotBeAsked) {
  place_->Break();
  const auto page = Read(question_);
  ASSERT_FALSE(page.ok());
  EXPECT_FALSE(page.status().message().empty());
  place_->Mend();
  EXPECT_TRUE(Read(question_).ok());
}

}  // namespace oppetid::collector
