#include "collector/tickets/desk.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/api_fixture.h"
#include "tests/support/golden.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

Instant At(const std::string& text) { return *ParseInstant(text); }

// A source that tells what the test gives it.
class FakeSource : public TicketSource {
 public:
  struct Script {
    absl::StatusOr<TicketPage> answer = TicketPage{};
    std::vector<TicketQuestion> asked;
  };
  explicit FakeSource(Script& script) : script_(script) {}
  boost::asio::awaitable<absl::StatusOr<TicketPage>> Read(TicketQuestion question) override {
    script_.asked.push_back(question);
    auto answer = script_.answer;
    if (answer.ok()) answer->changed = question.now;
    co_return answer;
  }

 private:
  Script& script_;
};

// A desk with one source, behind the API.
class DeskTest : public ApiFixture {
 protected:
  void StartDesk() {
    Open(/*anonymous=*/true);
    desk_.emplace(*hub_, *ledger_, clock_, desk_pool_, io_.get_executor());
    TicketSourceConfig config;
    config.name = "rt";
    config.type = "fake";
    config.every = Millis(300'000);
    config.mapping.municipality.words = {{"Vik kommune", "vik"}};
    config.mapping.kind.words = {{"*", "incident"}};
    config.mapping.priority.words = {{"*", "P3"}};
    config.mapping.status.words = {{"new", "new"}, {"open", "open"}, {"done", "resolved"}};
    config.make = [this](BlockingPool&) { return std::make_unique<FakeSource>(script_); };
    const auto reader = ledger_->OpenReader();
    const absl::Status started = desk_->Start({config}, **reader);
    ASSERT_TRUE(started.ok()) << started;
    desk_->AddPages(*api_);
    Serve();
  }
  ~DeskTest() override { Stop(); }

  // Lets the desk do what is due after `time`, until nothing is under way: what it puts on the
  // loop and on its pool is waited for, step by step.
  void Pass(Millis time) {
    OnLoop([&] { clock_.Advance(time); });
    constexpr int kSteps = 8;  // the longest chain of steps is shorter
    for (int i = 0; i < kSteps; ++i) {
      OnLoop([&] { desk_->Tick(); });
      std::promise<void> pooled;
      desk_pool_.Post([&] { pooled.set_value(); });
      pooled.get_future().wait();
    }
  }
  HttpAnswer Push(const std::string& body, const std::string& token = "") {
    std::optional<HttpClient> client;
    if (token.empty()) {
      client.emplace(socket());
    } else {
      client.emplace(port());
    }
    client->Send("POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\n" +
                 (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
                 "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client->Receive();
  }
  std::string PushToken(const std::string& municipality) {
    std::promise<std::string> made;
    OnLoop([&] {
      TokenGrant grant;
      grant.push = true;
      grant.reach = Reach::Of(municipality);
      tokens_->Create({"drift", ""}, grant, "test", [&](const absl::StatusOr<std::string>& token) {
        made.set_value(token.ok() ? *token : "");
      });
    });
    return made.get_future().get();
  }
  std::string Exported() {
    return HttpClient(socket()).Get("/api/v1/export/tickets?to=2027-01-01T00:00:00Z").body;
  }
  std::string Metrics(const std::string& query = "") {
    const std::string page = HttpClient(socket()).Get("/metrics" + query).body;
    std::string ours;
    for (size_t from = 0; from < page.size();) {
      const size_t end = page.find('\n', from);
      const std::string line = page.substr(from, end - from);
      if (line.find("helpdesk_") != std::string::npos) ours += line + "\n";
      from = end + 1;
    }
    return ours;
  }
  struct Outcome {
    int code;
    std::string out, err;
  };
  // Runs `oppetid` in the test's directory.
  Outcome Run(const std::string& arguments) {
    const std::string call =
        "cd '" + directory_.path() + "' && '" OPPETID_PROGRAM "' " + arguments + " > out 2> err";
    const int status = std::system(call.c_str());
    const auto out = ReadFile(directory_.path() + "/out"),
               err = ReadFile(directory_.path() + "/err");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out.value_or(""), err.value_or("")};
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.path() + "/" + name, std::ios::binary) << text;
  }
  static std::string Line(
      const std::string& id, const std::string& municipality = "vik",
      const std::string& events = R"({"at":"2026-07-02T06:10:00Z","status":"new"})") {
    return R"({"type":"ticket","id":")" + id + R"(","municipality":")" + municipality +
           R"(","kind":"incident","priority":"P3","events":[)" + events + "]}\n";
  }

  FakeSource::Script script_;
  BlockingPool desk_pool_{"desk", 1};
  std::optional<TicketDesk> desk_;
};

RawTicket Raw(const std::string& id, const std::string& municipality = "Vik kommune") {
  RawTicket raw;
  raw.id = id;
  raw.municipality = municipality;
  RawEvent created, answered, done;
  created.at = At("2026-07-02T06:00:00Z");
  created.status = "new";
  answered.at = At("2026-07-02T06:20:00Z");
  answered.status = "open";
  answered.responded = true;
  done.at = At("2026-07-02T09:00:00Z");
  done.status = "done";
  raw.events = {created, answered, done};
  return raw;
}

TEST_F(DeskTest, TakesPushedTicketsOnceAndExportsThem) {
  StartDesk();
  const std::string lines =
      Line("A-1") + "\nnonsense\n" + Line("A-2", "Kari Nordmann") + Line("rt-7") + Line("A-3");
  const HttpAnswer answer = Push(lines);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            R"({"taken":2,"rejected":3,"rejects":[{"line":3,"reason":"not one JSON object on one )"
            R"(line of at most 1000000 bytes, each key once"},{"line":4,"reason":"`municipality`: )"
            R"(expected 1 to 63 of a-z, 0-9, - and ."},{"line":5,"reason":"`id`: begins as those )"
            R"(of a configured source"}]})"
            "\n");
  const std::string exported = Exported();
  EXPECT_THAT(exported, HasSubstr(R"({"type":"ticket","id":"A-1","source":"push",)"));
  EXPECT_THAT(exported, HasSubstr(R"("id":"A-3")"));
  EXPECT_THAT(exported, Not(HasSubstr("Kari")));
  EXPECT_EQ(Push(Line("A-1") + Line("A-3")).status, 200);
  EXPECT_EQ(Exported(), exported) << "storing again changes nothing";
}

TEST_F(DeskTest, TakesOneNewEventOfATicket) {
  StartDesk();
  Push(Line("A-1"));
  Push("[" +
       Line("A-1", "vik", R"({"at":"2026-07-02T07:00:00Z","status":"resolved","responded":true})") +
       "]");
  EXPECT_THAT(Exported(), HasSubstr(R"("status":"new","recorded_at":"2026-07-03T10:00:00.000Z"},)"
                                    R"({"at":"2026-07-02T07:00:00.000Z","status":"resolved")"));
  // Before what was the first: then it was created earlier.
  Push(Line("A-1", "vik", R"({"at":"2026-07-01T07:00:00Z","status":"new"})"));
  EXPECT_THAT(Exported(), HasSubstr(R"("events":[{"at":"2026-07-01T07:00:00.000Z")"));
}

TEST_F(DeskTest, HoldsATokenToItsMunicipalities) {
  StartDesk();
  const std::string token = PushToken("vik");
  EXPECT_EQ(Push(Line("A-1", "os"), token).status, 400);
  EXPECT_EQ(Push(Line("A-1"), token).status, 200);
  EXPECT_EQ(Push(Line("B-1", "os")).status, 200);
  const HttpAnswer stolen = Push(Line("B-1"), token);
  EXPECT_EQ(stolen.status, 400);
  EXPECT_THAT(stolen.body, HasSubstr("not a ticket that this token may speak of"));
  EXPECT_THAT(Push(Line("A-1", "vik",
                        R"({"at":"2026-07-02T07:00:00Z","status":"open","municipality":"os"})"),
                   token)
                  .body,
              HasSubstr("may speak of"));
  EXPECT_EQ(Push(Line("A-1"), "wrong").status, 401);
}

TEST_F(DeskTest, RefusesAPushThatCannotBeStored) {
  StartDesk();
  OnLoop([this] { fault_ = absl::UnavailableError("disk full"); });
  EXPECT_EQ(Push(Line("A-1")).status, 503);
  OnLoop([this] { fault_ = absl::OkStatus(); });
  EXPECT_EQ(Push(Line("A-1")).status, 200);
  EXPECT_EQ(Push("").body, "{\"taken\":0,\"rejected\":0,\"rejects\":[]}\n");
}

TEST_F(DeskTest, IsWithinReachOfTheCommandLine) {
  StartDesk();
  Write("tickets.jsonl", Line("A-1") + "nonsense\n" + Line("A-2"));
  Outcome outcome = Run("ticket push tickets.jsonl --socket admin.sock");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "taken 2, rejected 1\n");
  EXPECT_THAT(outcome.err, HasSubstr("line 2: not one JSON object"));
  // More than a request may bring, the last line without its newline.
  std::string many;
  for (int i = 0; i < 9'000; ++i) many += Line("B-" + std::to_string(i));
  many += "{}";
  Write("tickets.jsonl", many);
  outcome = Run("ticket push - --socket admin.sock < tickets.jsonl");
  EXPECT_EQ(outcome.out, "taken 9000, rejected 1\n");
  EXPECT_THAT(outcome.err, HasSubstr("line 9001: "));

  const Outcome exported = Run("export tickets --socket admin.sock --period 2026-Q3");
  EXPECT_EQ(exported.code, 0) << exported.err;
  EXPECT_EQ(std::count(exported.out.begin(), exported.out.end(), '\n'), 9'002);
  EXPECT_EQ(Run("export tickets --ledger ledger.sqlite --period 2026-Q3").out, exported.out);
  EXPECT_EQ(Run("export tickets --socket admin.sock --period 2026-Q2").out, "");
  EXPECT_EQ(Run("export tickets --socket admin.sock --period 2026-Q9").code, 2);
  Write("exported.jsonl", exported.out);
  Write("catalogue.yaml", "municipalities: [{id: vik, name: Vik}]\nservices: []\n");
  outcome = Run("report --catalogue catalogue.yaml --tickets exported.jsonl --period 2026-Q3");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\"created\":9002"));

  script_.answer->tickets = {Raw("2", "Ukjent kommune")};
  script_.answer->rejected = {{"a.csv", 7, "no id"}};
  Pass(Millis(0));
  outcome = Run("ticket sources --socket admin.sock");
  EXPECT_THAT(outcome.out, HasSubstr("rt      municipality  Ukjent kommune  1"));
  EXPECT_THAT(outcome.out, HasSubstr("rt      a.csv  7     no id"));
}

TEST_F(DeskTest, StoresWhatASourceTellsAndTellsHowItIs) {
  StartDesk();
  script_.answer->tickets = {Raw("1"), Raw("2", "Ukjent kommune")};
  script_.answer->rejected = {{"a.csv", 7, "no id"}};
  script_.answer->place = "a.csv";
  script_.answer->tickets[0].line = 3;
  script_.answer->tickets[0].answer = RawAnswer{"6", At("2026-07-02T09:30:00Z")};
  Pass(Millis(0));
  EXPECT_EQ(script_.asked.size(), 1U);
  EXPECT_THAT(Exported(), HasSubstr(R"("id":"rt-1")"));
  EXPECT_THAT(Exported(), Not(HasSubstr(R"("id":"rt-2")")));
  const std::string json = HttpClient(socket()).Get("/api/v1/tickets/sources").body;
  EXPECT_THAT(json,
              HasSubstr(R"("up":true,"error":null,"last_success":"2026-07-03T10:00:00.000Z")"));
  EXPECT_THAT(json, HasSubstr(R"("rejects":[{"file":"a.csv","line":7,"reason":"no id"},)"
                              R"({"file":"a.csv","line":3,"reason":"satisfaction: not a whole )"
                              R"(number from 1 to 5; left out"}])"));
  EXPECT_THAT(json, HasSubstr(R"({"what":"municipality","word":"Ukjent kommune","tickets":1})"));
  EXPECT_EQ(HttpClient(port()).Get("/api/v1/tickets/sources").status, 404) << "admin.sock only";
  const auto cursors = (*ledger_->OpenReader())->SourceCursors();
  ASSERT_TRUE(cursors.ok() && cursors->size() == 1) << cursors.status();
  EXPECT_THAT(cursors->front().mapping, HasSubstr("left out")) << "read anew after a restart";
  Pass(Millis(300'000));  // again, within the overlap: counted once
  EXPECT_THAT(Metrics(),
              HasSubstr("helpdesk_unmapped_total{source=\"rt\",what=\"municipality\"} 1\n"));
}

TEST_F(DeskTest, RemovesWhatTheSourceNoLongerHas) {
  StartDesk();
  script_.answer->tickets = {Raw("1")};
  Pass(Millis(0));
  script_.answer->tickets.clear();
  script_.answer->gone = {{"1", At("2026-07-03T09:00:00Z")}, {"99", At("2026-07-03T09:00:00Z")}};
  Pass(Millis(300'000));
  EXPECT_THAT(Exported(), HasSubstr("\"removed\":true"));
  EXPECT_THAT(Exported(), Not(HasSubstr("rt-99")));
}

TEST_F(DeskTest, AsksForOpenTicketsAtNight) {
  StartDesk();
  RawTicket open = Raw("5");
  open.events.pop_back();
  script_.answer->tickets = {Raw("1"), open};
  Pass(Millis(0));
  Pass(Millis(300'000));
  bool asked = false;
  for (const TicketQuestion& question : script_.asked) {
    asked = asked || question.ids == std::vector<std::string>{"5"};
  }
  EXPECT_TRUE(asked);
}

TEST_F(DeskTest, ShowsWhatTheTicketsSay) {
  StartDesk();
  auto catalogue = std::make_shared<Catalogue>(*Zone::Find("Europe/Oslo"));
  catalogue->calendars["always"].always = true;
  TicketTarget target;
  target.kind = "incident";
  target.priority = "P3";
  target.respond_within = Millis(1'800'000);
  target.resolve_within = Millis(2 * 3'600'000);
  catalogue->tickets.targets.push_back(target);
  OnLoop([&] { desk_->FollowCatalogue([catalogue] { return catalogue; }); });
  RawTicket open = Raw("2");
  open.events.resize(1);
  RawTicket scored = Raw("3");
  scored.answer = RawAnswer{"5", At("2026-07-02T10:00:00Z")};
  script_.answer->tickets = {Raw("1"), open, scored, Raw("4", "Ukjent")};
  Push(Line("A-1", "os"));
  Pass(Millis(0));
  Pass(TicketDesk::kComputeEvery);
  ExpectGolden("helpdesk_metrics.txt", Metrics());
  EXPECT_THAT(Metrics("?municipality=os"), Not(HasSubstr("\"vik\"")));
  EXPECT_THAT(Metrics("?municipality=os"), HasSubstr("municipality=\"os\""));
  EXPECT_THAT(Metrics("?municipality=os"), Not(HasSubstr("helpdesk_source")));
}

TEST_F(DeskTest, EndsTheSeriesOfASourceThatIsDown) {
  StartDesk();
  script_.answer->tickets = {Raw("1")};
  Push(Line("A-1"));
  Pass(Millis(0));
  Pass(TicketDesk::kComputeEvery);
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_tickets_open{municipality=\"vik\",source=\"rt\""));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_source_up{source=\"rt\"} 1\n"));
  script_.answer = absl::UnavailableError("it burns");
  Pass(Millis(300'000));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_source_up{source=\"rt\"} 0\n"));
  for (int i = 0; i < 8; ++i) Pass(Millis(300'000));
  EXPECT_THAT(Metrics(), Not(HasSubstr("municipality=\"vik\",source=\"rt\"")));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_tickets_open{municipality=\"vik\",source=\"push\""));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_source_lag_seconds{source=\"rt\"} 2760\n"));
  script_.answer = TicketPage{};
  for (int i = 0; i < 4; ++i) Pass(Millis(300'000));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_source_up{source=\"rt\"} 1\n"));
  EXPECT_THAT(Metrics(), HasSubstr("helpdesk_tickets_open{municipality=\"vik\",source=\"rt\""));
}

TEST_F(DeskTest, NeverLetsATotalGoBack) {
  StartDesk();
  script_.answer->tickets = {Raw("1"), Raw("2")};
  Pass(Millis(0));
  Pass(TicketDesk::kComputeEvery);
  const std::string created =
      "helpdesk_tickets_created_total{municipality=\"vik\",source=\"rt\",priority=\"P3\","
      "kind=\"incident\"} 2\n";
  EXPECT_THAT(Metrics(), HasSubstr(created));
  script_.answer->tickets.clear();
  script_.answer->gone = {{"1", At("2026-07-03T09:00:00Z")}};
  Pass(Millis(300'000));
  Pass(TicketDesk::kComputeEvery);
  EXPECT_THAT(Metrics(), HasSubstr(created));
  EXPECT_THAT(Metrics(), HasSubstr("le=\"1800\"} 2\n"));
}

}  // namespace
}  // namespace oppetid::collector
