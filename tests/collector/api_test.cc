#include "collector/admin_api.h"
#include "tests/support/api_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

class ApiTest : public ApiFixture {
 protected:
  void StartApi(bool anonymous) {
    Open(anonymous);
    AddTokenPages(*api_, *tokens_);
    AddAuditPage(*api_, *ledger_);
    Serve();
  }
  // An agent that has shown a critical disk and 3,000 carried series.
  void ConnectAgent() {
    OnLoop([this] {
      Peer peer;
      peer.identity = {"vik", "srv1"};
      link_ = std::make_shared<FakeLink>();
      const auto stream = hub_->Open(peer, link_);
      hub_->OnFrame(stream, HelloFrame(1));
      v1::AgentFrame frame = SnapshotFrame(0);
      AddRun(&frame, 0, -60, 0, v1::STATE_CRITICAL);
      auto* set = frame.mutable_snapshot()->add_samples();
      set->set_at_ms(kHubStartMs);
      for (uint32_t id = 1; id <= 3'000; ++id) {
        auto* definition = frame.mutable_snapshot()->add_definitions();
        definition->set_id(id);
        definition->set_name("foreign_" + std::to_string(id));
        definition->set_carried(true);
        definition->add_labels("text");
        definition->add_labels(std::string(150, 'x'));
        set->add_series(id);
        set->add_values(id);
      }
      hub_->OnFrame(stream, frame);
    });
  }
  static HttpAnswer Post(HttpClient& client, const std::string& target) {
    client.Send("POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    return client.Receive();
  }

  std::shared_ptr<FakeLink> link_;
};

TEST_F(ApiTest, WantsATokenUnlessConfiguredOtherwise) {
  StartApi(/*anonymous=*/false);
  HttpClient tcp(port()), admin(socket());
  for (const char* path :
       {"/metrics", "/metrics/carried", "/api/v1/status", "/anything", "/api/v1/export/history"}) {
    EXPECT_EQ(tcp.Get(path).status, 401) << path;
    EXPECT_NE(admin.Get(path).status, 401) << path;
  }
  EXPECT_EQ(tcp.Get("/healthz").status, 200);
  EXPECT_EQ(tcp.Get("/readyz").status, 200);
}

TEST_F(ApiTest, ServesMetrics) {
  StartApi(/*anonymous=*/true);
  ConnectAgent();
  HttpClient client(port());
  const HttpAnswer own = client.Get("/metrics");
  EXPECT_EQ(own.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(own.body, HasSubstr("\noppetid_collector_frames_total 2\n"));
  EXPECT_THAT(own.body, HasSubstr("oppetid_collector_ledger_bytes "));
  EXPECT_THAT(own.body, HasSubstr("oppetid_agent_up{municipality=\"vik\",host=\"srv1\"} 1\n"));
  const HttpAnswer carried = client.Get("/metrics/carried");
  EXPECT_GT(carried.body.size(), 500'000U) << "several chunks";
  const HttpAnswer packed = client.Get("/metrics/carried", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(Gunzip(packed.body), carried.body);
  const HttpAnswer narrow = client.Get("/metrics?municipality=vik");
  EXPECT_THAT(narrow.body, HasSubstr("oppetid_agent_up{municipality=\"vik\""));
  EXPECT_THAT(narrow.body, Not(HasSubstr("oppetid_collector_frames_total")))
      << "the collector's own are nobody's";
  EXPECT_THAT(client.Get("/metrics?municipality=fjord").body, Not(HasSubstr("srv1")));
}

TEST_F(ApiTest, ServesTheStatus) {
  StartApi(/*anonymous=*/true);
  ConnectAgent();
  HttpClient client(port());
  const HttpAnswer answer = client.Get("/api/v1/status");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_THAT(answer.body, HasSubstr("\"check\":\"disk\",\"state\":\"critical\""));
  EXPECT_THAT(client.Get("/api/v1/status?municipality=fjord").body, Not(HasSubstr("srv1")));
}

// The body of an answer without its newline.
std::string Line(const HttpAnswer& answer) { return answer.body.substr(0, answer.body.find('\n')); }

std::string Bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

TEST_F(ApiTest, ATokenSeesItsMunicipalitiesAndNothingElse) {
  StartApi(/*anonymous=*/false);
  ConnectAgent();
  HttpClient tcp(port()), admin(socket());
  const std::string all = Bearer(Line(Post(admin, "/api/v1/tokens?all=1")));
  const std::string vik = Bearer(Line(Post(admin, "/api/v1/tokens?municipalities=vik,fjord")));
  const std::string dal = Bearer(Line(Post(admin, "/api/v1/tokens?municipalities=dal")));
  EXPECT_THAT(tcp.Get("/metrics", all).body, HasSubstr("\noppetid_collector_frames_total "));
  EXPECT_THAT(tcp.Get("/metrics", vik).body, HasSubstr("host=\"srv1\""));
  EXPECT_THAT(tcp.Get("/metrics", vik).body, Not(HasSubstr("oppetid_collector_")))
      << "the collector's own are nobody's";
  for (const char* path : {"/metrics", "/metrics/carried", "/api/v1/status"}) {
    const HttpAnswer answer = tcp.Get(path, dal);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_THAT(answer.body, Not(HasSubstr("srv1"))) << path;
  }
  const HttpAnswer foreign = tcp.Get("/metrics?municipality=vik", dal);
  const HttpAnswer nobodys = tcp.Get("/metrics?municipality=nowhere", dal);
  EXPECT_EQ(foreign.status, 403);
  EXPECT_EQ(foreign.body, nobodys.body) << "who else is here is nobody's business";
  EXPECT_EQ(nobodys.status, 403);
  EXPECT_THAT(tcp.Get("/metrics?municipality=vik", vik).body, HasSubstr("srv1"));
  EXPECT_EQ(tcp.Get("/api/v1/tokens", all).status, 404) << "through admin.sock only";
  EXPECT_EQ(tcp.Get("/api/v1/audit", all).status, 404);
}

TEST_F(ApiTest, OnlyAWholeTokenThatHoldsIsGood) {
  StartApi(/*anonymous=*/true);
  HttpClient tcp(port()), admin(socket());
  const std::string token = Line(Post(admin, "/api/v1/tokens?all=1&purpose=Grafana"));
  ASSERT_THAT(token, testing::MatchesRegex("t-1\\.[0-9a-f]+"));
  EXPECT_EQ(token.size(), 4U + 32U);
  EXPECT_EQ(tcp.Get("/metrics", Bearer(token)).status, 200);
  for (const std::string& wrong :
       {std::string("t-1"), std::string("t-1."), token.substr(0, token.size() - 1), token + "0",
        "t-2" + token.substr(3), "x" + token, std::string("t-99999999999999999999.00"),
        std::string(".")}) {
    EXPECT_EQ(tcp.Get("/metrics", Bearer(wrong)).status, 401)
        << wrong << ": not even where anybody may read without one";
  }
  EXPECT_THAT(tcp.Get("/metrics").body, HasSubstr("rejected_total{reason=\"token\"} 8"));
  const std::string list = admin.Get("/api/v1/tokens").body;
  EXPECT_THAT(list, HasSubstr("\"purpose\":\"Grafana\""));
  EXPECT_THAT(list, HasSubstr("\"revoked_at\":null"));
  EXPECT_THAT(list + admin.Get("/api/v1/audit").body, Not(HasSubstr(token.substr(4))))
      << "nobody can get a secret again";
  EXPECT_EQ(Post(admin, "/api/v1/tokens/revoke?id=t-1").status, 200);
  EXPECT_EQ(tcp.Get("/metrics", Bearer(token)).status, 401);
  EXPECT_EQ(Post(admin, "/api/v1/tokens/revoke?id=t-1").status, 409);
  EXPECT_EQ(Post(admin, "/api/v1/tokens/revoke?id=t-7").status, 404);
  for (const char* query : {"", "?all=1&municipalities=vik", "?municipalities=Vik", "?all=0",
                            "?municipalities=vik,,fjord"}) {
    EXPECT_EQ(Post(admin, "/api/v1/tokens" + std::string(query)).status, 400) << query;
  }
}

TEST_F(ApiTest, APushTokenReadsNothing) {
  StartApi(/*anonymous=*/false);
  HttpClient tcp(port()), admin(socket());
  OnLoop([this] {
    api_->Route("POST", "/push", Access::kPush,
                [](const HttpRequest& request, const HttpDone& done) {
                  done(TextAnswer(200, request.reach == Reach::Of("vik") ? "vik" : "other"));
                });
  });
  const std::string push = Line(Post(admin, "/api/v1/tokens?municipalities=vik&push=1"));
  const std::string read = Line(Post(admin, "/api/v1/tokens?municipalities=vik"));
  EXPECT_EQ(tcp.Get("/metrics", Bearer(push)).status, 401);
  const auto post = [&](const std::string& token) {
    tcp.Send("POST /push HTTP/1.1\r\nHost: x\r\n" + Bearer(token) + "Content-Length: 0\r\n\r\n");
    return tcp.Receive();
  };
  EXPECT_EQ(post(push).body, "vik");
  EXPECT_EQ(post(read).status, 404);
  EXPECT_EQ(post("t-9.0").status, 401);
}

TEST_F(ApiTest, TellsTheAuditChain) {
  StartApi(/*anonymous=*/false);
  HttpClient admin(socket());
  Post(admin, "/api/v1/tokens?municipalities=vik&on_behalf_of=Kari%20Nordmann");
  Post(admin, "/api/v1/tokens/revoke?id=t-1");
  const std::string chain = admin.Get("/api/v1/audit").body;
  EXPECT_THAT(chain, testing::MatchesRegex(
                         "\\{\"number\":1,\"at\":\"2026-07-03T10:00:00.000Z\",\"kind\":"
                         "\"token_created\",\"who\":\"[^\"]+\",\"on_behalf_of\":"
                         "\"Kari Nordmann\",\"body\":.*\n\\{\"number\":2,.*token_revoked.*\n"));
}

TEST_F(ApiTest, KnowsNoOtherPages) {
  StartApi(/*anonymous=*/true);
  HttpClient client(port()), admin(socket());
  for (const char* path : {"/", "/metric", "/metrics/", "/api/v1/status/x", "/../etc/passwd"}) {
    EXPECT_EQ(client.Get(path).status, 404) << path;
  }
  EXPECT_EQ(Post(client, "/metrics").status, 404);
  EXPECT_EQ(client.Get("/api/v1/export/history").status, 404) << "through admin.sock only";
  EXPECT_EQ(Post(client, "/api/v1/check-now?host=srv1&check=disk").status, 404);
  EXPECT_EQ(admin.Get("/api/v1/check-now?host=srv1&check=disk").status, 404);
}

TEST_F(ApiTest, ExportsWhatTheLedgerHas) {
  StartApi(/*anonymous=*/false);
  ConnectAgent();
  HttpClient admin(socket());
  const HttpAnswer answer =
      admin.Get("/api/v1/export/history?from=2026-07-03T00:00:00Z&to=2026-07-04T00:00:00Z");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "{\"type\":\"span\",\"check\":\"srv1/disk\",\"from\":\"2026-07-03T09:59:00.000Z\","
            "\"to\":\"2026-07-03T10:00:45.000Z\",\"state\":\"critical\","
            "\"recorded_at\":\"2026-07-03T10:00:00.000Z\"}\n");
  for (const char* query : {"", "?from=2026-07-03T00:00:00Z", "?from=x&to=y",
                            "?from=2026-07-04T00:00:00Z&to=2026-07-03T00:00:00Z"}) {
    EXPECT_EQ(admin.Get("/api/v1/export/history" + std::string(query)).status, 400) << query;
  }
}

TEST_F(ApiTest, AsksAgentsForAnAttempt) {
  StartApi(/*anonymous=*/false);
  HttpClient admin(socket());
  EXPECT_EQ(Post(admin, "/api/v1/check-now?host=srv1&check=disk").status, 404);
  ConnectAgent();
  EXPECT_EQ(Post(admin, "/api/v1/check-now?host=srv1&check=disk").status, 202);
  OnLoop([this] { EXPECT_EQ(link_->sent.back().check_now().check(), "disk"); });
  EXPECT_EQ(Post(admin, "/api/v1/check-now?host=srv1&check=none").status, 404);
  EXPECT_EQ(Post(admin, "/api/v1/check-now").status, 404);
}

TEST_F(ApiTest, SaysWhyItIsNotReady) {
  StartApi(/*anonymous=*/false);
  HttpClient client(port()), admin(socket());
  OnLoop([this] { fault_ = absl::ResourceExhaustedError("the disk is full"); });
  ConnectAgent();
  const HttpAnswer refused =
      admin.Get("/api/v1/export/history?from=2026-07-03T00:00:00Z&to=2026-07-04T00:00:00Z");
  EXPECT_EQ(refused.status, 503);
  const HttpAnswer full = client.Get("/readyz");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.body, "the disk is full\n");
  EXPECT_EQ(client.Get("/healthz").status, 200) << "alive all the same";
  OnLoop([this] {
    fault_ = absl::OkStatus();
    hub_->Flush([](const absl::Status&) {});
  });
  EXPECT_EQ(
      admin.Get("/api/v1/export/history?from=2026-07-03T00:00:00Z&to=2026-07-04T00:00:00Z").status,
      200);
  EXPECT_EQ(client.Get("/readyz").status, 200);
  OnLoop([this] { clock_.SetWall(FromUnixMillis(kHubStartMs - 1)); });
  const HttpAnswer behind = client.Get("/readyz");
  EXPECT_EQ(behind.status, 503);
  EXPECT_THAT(behind.body, HasSubstr("clock is before the ledger's newest record"));
}

}  // namespace
}  // namespace oppetid::collector
