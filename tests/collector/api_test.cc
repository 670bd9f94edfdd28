#include "collector/api.h"

#include "collector/ledger/sqlite.h"
#include "tests/support/http_fixture.h"
#include "tests/support/hub_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

// A hub with a real ledger behind the API; the ledger commits at once, or fails.
class ApiTest : public HttpFixture, public LedgerWriter {
 protected:
  void StartApi(bool anonymous) {
    auto ledger = OpenSqliteLedger(directory_.path() + "/ledger.sqlite");
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = *std::move(ledger);
    hub_.emplace(clock_, *this, counters_, ledger_->id(), std::vector<AgentRow>{});
    api_.emplace(*hub_, *ledger_, counters_, clock_, anonymous);
    Start([this](HttpRequest request, HttpDone done) {
      api_->Handle(std::move(request), std::move(done));
    });
  }
  ~ApiTest() override { Stop(); }

  void Commit(std::shared_ptr<const Batch> batch, Instant now,
              std::function<void(absl::Status)> done) override {
    const absl::Status status = fault_.ok() ? ledger_->Commit(*batch, now) : fault_;
    boost::asio::post(io_, [done, status] { done(status); });
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

  ManualClock clock_{FromUnixMillis(kHubStartMs)};
  Counters counters_{clock_};
  std::unique_ptr<Ledger> ledger_;
  std::optional<Hub> hub_;
  std::optional<Api> api_;
  std::shared_ptr<FakeLink> link_;
  absl::Status fault_;
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
