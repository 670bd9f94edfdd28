#include "collector/tickets/request_tracker.h"

#include <unistd.h>

#include "collector/tickets/rt_history.h"
#include "common/file.h"
#include "tests/contract/ticket_source_contract.h"
#include "tests/support/loopback_server.h"
#include "tests/support/rt_server.h"

namespace oppetid::collector {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// One for the whole program: it takes seconds to start.
RtServer* Rt() {
  static const auto server = RtServer::Start();
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? server->get() : nullptr;
}

TicketMapping Mapping() {
  TicketMapping mapping;
  mapping.municipality = {"Kommune",
                          {{"Fjordvik kommune", "fjordvik"}, {"Åsdal kommune", "aasdal"}}};
  mapping.kind = {"Type", {{"Hendelse", "incident"}, {"Bestilling", "request"}}};
  mapping.priority = {"Priority", {{"80-100", "P1"}, {"50-79", "P2"}, {"0-49", "P3"}}};
  mapping.status.words = {{"new", "new"},
                          {"open", "open"},
                          {"stalled", "waiting_customer"},
                          {"resolved", "resolved"},
                          {"rejected", "closed"}};
  mapping.service = {"Queue", {{"Brukerstotte", "helpdesk"}, {"Drift", "operations"}}};
  mapping.satisfaction_from = "CSAT";
  return mapping;
}

class RtPlace : public TicketPlace {
 public:
  RtPlace() { Mend(); }
  absl::StatusOr<std::unique_ptr<TicketSource>> Make(BlockingPool& pool) override {
    if (Rt() == nullptr) return absl::UnavailableError("no Request Tracker");
    RequestTrackerConfig config;
    config.url = *ParseApiUrl(Rt()->url());
    config.token_file = token_file();
    config.mapping = mapping_;
    config.page = 10;
    return MakeRequestTracker(config, pool);
  }
  const TicketMapping& mapping() const override { return mapping_; }
  Instant since() const override { return *ParseInstant("2026-10-01T00:00:00Z"); }
  Instant now() const override { return *ParseInstant("2026-12-01T00:00:00Z"); }
  std::vector<std::string> ids() const override { return {"1", "2", "3", "5"}; }
  void Break() override { ::unlink(token_file().c_str()); }
  void Mend() override {
    const std::string token = Rt() == nullptr ? "" : Rt()->token("reader");
    EXPECT_TRUE(ReplaceFile(token_file(), token + "\n", 0600).ok());
  }
  std::string token_file() const { return directory_.path() + "/token"; }

 private:
  TempDir directory_;
  TicketMapping mapping_ = Mapping();
};

std::unique_ptr<TicketPlace> MakeRtPlace() { return std::make_unique<RtPlace>(); }
INSTANTIATE_TEST_SUITE_P(RequestTracker, TicketSourceContract, testing::Values(&MakeRtPlace));

// What only a Request Tracker has.
class RequestTrackerTest : public TicketSourceContract {};
INSTANTIATE_TEST_SUITE_P(RequestTracker, RequestTrackerTest, testing::Values(&MakeRtPlace));

TEST_P(RequestTrackerTest, TellsTheWholeStory) {
  const auto all = ReadAll(question_);
  EXPECT_GE(all.size(), 40U) << "over several pages";
  // By status alone the wait lasts until somebody moves it.
  EXPECT_EQ(Told(all.at("2")), "aasdal incident P3, response 10m, resolved 1h11m");
  EXPECT_EQ(Told(all.at("3")),
            "fjordvik incident P1, response 5m, resolved 1h35m, reopened 1, score 4");
  EXPECT_EQ(Told(all.at("4")), "aasdal request P1") << "a comment is no answer to the customer";
  EXPECT_EQ(Told(all.at("6")), "fjordvik incident P3, response 5m, resolved 5m");
  EXPECT_EQ(Told(all.at("7")), "fjordvik incident P2, response 1h, resolved 1h");
  EXPECT_FALSE(all.contains("8")) << "merged into 7";
  EXPECT_THAT(gone_, Contains("8"));
  EXPECT_THAT(gone_, Not(Contains("7")));
  const auto mapped = MapTicket("rt", all.at("4"), place_->mapping(), place_->now());
  ASSERT_TRUE(mapped.ticket);
  EXPECT_EQ(mapped.ticket->service, "helpdesk");
  EXPECT_THAT(mapped.ticket->events, Contains(testing::Truly([](const TicketEventWrite& write) {
                return write.event.service == "operations";
              })))
      << "moved to another queue";
}

TEST_P(RequestTrackerTest, LetsACustomersReplyEndTheWaitWhereAgreed) {
  const auto all = ReadAll(question_);
  TicketMapping agreed = place_->mapping();
  agreed.customer_reply_ends_pause = true;
  const auto mapped = MapTicket("rt", all.at("2"), agreed, place_->now());
  ASSERT_TRUE(mapped.ticket);
  std::vector<std::string> told;
  for (const auto& write : mapped.ticket->events) {
    told.push_back(FormatInstant(write.event.at).substr(5, 11) + " " + write.event.status);
  }
  // Four hours on the clock: ten minutes, one, and from the reply to the resolution.
  EXPECT_THAT(told, testing::ElementsAre("11-03T08:00 new", "11-03T08:10 new", "11-03T08:10 open",
                                         "11-03T08:11 waiting_customer", "11-04T08:11 open",
                                         "11-04T12:00 resolved"));
}

TEST_P(RequestTrackerTest, TellsNothingOfPersonsOrTexts) {
  for (const auto& [id, raw] : ReadAll(question_)) {
    const auto mapped = MapTicket("rt", raw, place_->mapping(), place_->now());
    ASSERT_TRUE(mapped.ticket) << id;
    const TicketWrite& its = *mapped.ticket;
    for (const std::string* text :
         {&its.id, &its.municipality, &its.kind, &its.priority, &its.service}) {
      EXPECT_THAT(*text, Not(testing::AnyOf(HasSubstr("kari"), HasSubstr("tekniker"),
                                            HasSubstr("Sak"), HasSubstr("Passord"))));
    }
  }
}

TEST_P(RequestTrackerTest, FindsDeletedTickets) {
  ASSERT_EQ(Rt()->Put("root", "ticket/20", R"({"Status":"deleted"})"), 200);
  ReadAll(question_);
  EXPECT_THAT(gone_, Contains("20"));
  TicketQuestion question = question_;
  question.ids = {"20", "8", "5"};
  const auto page = Read(question);
  ASSERT_TRUE(page.ok()) << page.status();
  std::set<std::string> gone;
  for (const GoneTicket& its : page->gone) gone.insert(its.id);
  EXPECT_EQ(gone, (std::set<std::string>{"20", "8"}));
}

TEST_P(RequestTrackerTest, SaysWhenTheTokenIsNotAccepted) {
  auto* place = dynamic_cast<RtPlace*>(place_.get());
  ASSERT_NE(place, nullptr);
  ASSERT_TRUE(ReplaceFile(place->token_file(), "1-2-3\n", 0600).ok());
  EXPECT_THAT(std::string(Read(question_).status().message()), HasSubstr("401"));
  ASSERT_TRUE(ReplaceFile(place->token_file(), Rt()->token("reader"), 0644).ok());
  EXPECT_FALSE(Read(question_).ok()) << "a token that everybody may read";
}

// The pure half, with what a real one would hardly say.
TEST(RtHistory, RefusesWhatIsNoAnswer) {
  for (const char* body : {"", "x", "[]", "{}", "{\"items\":7}", "{\"items\":[7]}"}) {
    const auto page = ParseRtTickets(body);
    EXPECT_TRUE(!page || page->tickets.empty()) << body;
    const auto transactions = ParseRtTransactions(body);
    EXPECT_TRUE(!transactions || transactions->transactions.empty()) << body;
  }
  const auto odd =
      ParseRtTickets(R"({"pages":1e300,"items":[{"id":{},"Status":3,"Queue":"x","Requestor":[7],)"
                     R"("CustomFields":[{"values":[[]]},{"name":"a","values":7}]}]})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->tickets.size(), 1U);
  EXPECT_FALSE(ParseRtState("7"));
}

TEST(RtHistory, CountsAFieldFilledInLaterFromTheBeginning) {
  RtTicket ticket;
  ticket.id = 5;
  ticket.status = "open";
  ticket.priority = "20";
  ticket.fields["Kommune"] = "Åsdal kommune";
  ticket.field_names["2"] = "Kommune";
  const Instant at = *ParseInstant("2026-11-02T07:00:00Z");
  const std::vector<RtTransaction> transactions = {
      {10, 5, "Create", "", "", "", "kari", at},
      {11, 5, "CustomField", "2", "", "Fjordvik kommune", "t", at + Millis(60'000)},
      {12, 5, "CustomField", "2", "Fjordvik kommune", "Åsdal kommune", "t", at + Millis(120'000)}};
  const RawTicket raw = RtHistory(ticket, transactions, Mapping(), {});
  EXPECT_EQ(raw.municipality, "Fjordvik kommune");
  ASSERT_EQ(raw.events.size(), 2U);
  EXPECT_EQ(raw.events[1].municipality, "Åsdal kommune");
  EXPECT_EQ(raw.status, "open") << "no transaction changed it";
}

// HTTPS, where the first bytes are a token.
class HttpsClientTest : public testing::Test {
 protected:
  static boost::asio::awaitable<void> Await(HttpsClient& client,
                                            std::optional<absl::StatusOr<ApiReply>>* into) {
    *into = co_await client.Get("/tickets", "token s3cret");
  }
  absl::StatusOr<ApiReply> Get(const std::string& host, const std::string& ca) {
    const std::string ca_file = directory_.path() + "/ca.pem";
    EXPECT_TRUE(ReplaceFile(ca_file, ca).ok());
    const auto url =
        ParseApiUrl("https://" + host + ":" + std::to_string(server_.port()) + "/REST/2.0/");
    auto client = HttpsClient::Make(*url, ca_file, pool_);
    EXPECT_TRUE(client.ok()) << client.status();
    std::optional<absl::StatusOr<ApiReply>> reply;
    Spawn(io_.get_executor(), Await(**client, &reply), "get");
    while (!reply && io_.run_one() > 0) {
    }
    return *std::move(reply);
  }

  TempDir directory_;
  boost::asio::io_context io_;
  BlockingPool pool_{"test", 1};
  TestCa ca_;
  LoopbackServer server_{io_,
                         [](const std::string&) {
                           return Part{HttpReply(200, "{}"), "", false};
                         },
                         ca_.Issue({{"DNS:localhost"}})};
};

TEST_F(HttpsClientTest, AsksAServerItTrusts) {
  const auto reply = Get("localhost", ca_.certificate());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "{}");
  ASSERT_EQ(server_.requests().size(), 1U);
  EXPECT_THAT(server_.requests()[0], HasSubstr("GET /REST/2.0/tickets HTTP/1.1"));
  EXPECT_THAT(server_.requests()[0], HasSubstr("Authorization: token s3cret"));
}

TEST_F(HttpsClientTest, TellsItsTokenToNobodyElse) {
  EXPECT_FALSE(Get("localhost", TestCa("Another root").certificate()).ok());
  EXPECT_FALSE(Get("127.0.0.1", ca_.certificate()).ok()) << "not the name in the certificate";
  EXPECT_TRUE(server_.requests().empty());
}

TEST(ParseApiUrl, AllowsPlainHttpToThisMachineOnly) {
  EXPECT_TRUE(ParseApiUrl("http://127.0.0.1:8080/REST/2.0"));
  EXPECT_TRUE(ParseApiUrl("https://rt.example/REST/2.0"));
  for (const char* url :
       {"http://rt.example/REST/2.0", "http://localhost/", "https://u:p@rt.example",
        "ftp://127.0.0.1/", "https://", "rt.example", ""}) {
    EXPECT_FALSE(ParseApiUrl(url)) << url;
  }
}

}  // namespace
}  // namespace oppetid::collector
