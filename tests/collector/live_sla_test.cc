#include "collector/live_sla.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "collector/ledger/sqlite.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

Instant Utc(const char* text) { return ParseInstant(text).value(); }

// The service `web` of the check srv1/http, agreed with vik and dal; 10 hours of the quarter
// passed.
class LiveSlaTest : public testing::Test {
 protected:
  LiveSlaTest() : clock_(Utc("2026-10-01T08:00:00Z")) {
    Catalogue catalogue(Zone::Find("Europe/Oslo").value());
    for (const char* id : {"vik", "dal"})
      catalogue.municipalities.push_back({id, id, "nb", {}, ""});
    catalogue.calendars["always"].always = true;
    Service web;
    web.id = "web";
    web.members = {{"vik", {}}, {"dal", {}}};
    web.target = ParsePercent("90 %").value();
    web.up_when.check = "srv1/http";
    catalogue.services.push_back(web);
    agreed_.catalogue = std::make_shared<const Catalogue>(std::move(catalogue));
    auto ledger = OpenSqliteLedger(directory_.path() + "/ledger.sqlite");
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = *std::move(ledger);
    live_.emplace(*ledger_, clock_, pool_, io_.get_executor(), [this] { return agreed_; });
  }
  // Stores a run, and tells of it as the hub does.
  void Store(const char* since, const char* to, State state) {
    Batch batch;
    batch.runs.push_back({"srv1", "http", state, Utc(since), Utc(to), true});
    ASSERT_TRUE(ledger_->Commit(batch, clock_.Now()).ok());
    live_->OnStored(batch);
  }
  // A Tick, and the settling that it starts, if it starts one.
  void Settle() {
    live_->Tick();
    pool_.Post([this] { boost::asio::post(io_, [this] { io_.stop(); }); });
    io_.restart();
    io_.run();
  }
  std::string Rendered(const Reach& reach = Reach::All()) {
    View view;
    view.at = clock_.Now();
    return live_->Render(view, reach);
  }
  static std::string Sla(const std::string& what, const std::string& window, double seconds) {
    return "oppetid_sla_seconds{municipality=\"vik\",service=\"web\",class=\"" + what +
           "\",window=\"" + window + "\"} " + std::to_string(static_cast<int64_t>(seconds)) + "\n";
  }
  static std::string InState(const std::string& state) {
    return "oppetid_service_state{municipality=\"vik\",service=\"web\",state=\"" + state +
           "\"} 1\n";
  }

  TempDir directory_;
  ManualClock clock_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  BlockingPool pool_{"live-test", 1};
  std::unique_ptr<Ledger> ledger_;
  Agreed agreed_;
  std::optional<LiveSla> live_;
};

TEST_F(LiveSlaTest, TellsNothingBeforeItKnowsAnything) {
  EXPECT_THAT(Rendered(), Not(HasSubstr("oppetid_sla_")));
  agreed_.catalogue = nullptr;
  Settle();
  EXPECT_EQ(Rendered(), "") << "nothing was agreed";
}

TEST_F(LiveSlaTest, AddsWhatIsSettledAndWhatIsNew) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:00:00Z", State::kOk);
  Settle();
  EXPECT_THAT(Rendered(), HasSubstr(Sla("up", "quarter", 36'000)));
  clock_.Advance(Millis(60'000));
  Store("2026-10-01T08:00:00Z", "2026-10-01T08:01:30Z", State::kCritical);
  const std::string text = Rendered();
  EXPECT_THAT(text, HasSubstr(InState("down")));
  EXPECT_THAT(text, HasSubstr(Sla("up", "month", 36'000)));
  EXPECT_THAT(text, HasSubstr(Sla("down", "month", 60)));
  EXPECT_THAT(text,
              HasSubstr("oppetid_sla_target_ratio{municipality=\"vik\",service=\"web\"} 0.9\n"));
  EXPECT_THAT(text, HasSubstr("oppetid_sla_verdict{municipality=\"vik\",service=\"web\",verdict="
                              "\"met\",window=\"quarter\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("service=\"web\",verdict=\"breached\",window=\"quarter\"} 0\n"));
  // Nobody looks any more: unknown, and nothing stands still.
  clock_.Advance(Millis(60'000));
  EXPECT_THAT(Rendered(), HasSubstr(InState("unknown")));
  EXPECT_THAT(Rendered(), HasSubstr(Sla("down", "month", 90)));
  EXPECT_THAT(Rendered(), HasSubstr(Sla("unknown", "month", 30)));
}

TEST_F(LiveSlaTest, ALateFactIsCountedOnceItIsSettledAnew) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:00:00Z", State::kOk);
  Settle();
  clock_.Advance(Millis(1'000));
  Store("2026-10-01T02:00:00Z", "2026-10-01T03:00:00Z", State::kCritical);
  Store("2026-10-01T03:00:00Z", "2026-10-01T08:00:01Z", State::kOk);
  Settle();
  EXPECT_THAT(Rendered(), HasSubstr(Sla("down", "quarter", 0))) << "not at every late fact";
  clock_.Advance(Millis(60'000));
  Settle();
  EXPECT_THAT(Rendered(), HasSubstr(Sla("down", "quarter", 3'600)));
}

TEST_F(LiveSlaTest, ADecisionCounts) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:10:00Z", State::kOk);
  Settle();
  Correction correction;
  correction.id = "c-1";
  correction.services.all = correction.municipalities.all = true;
  correction.when = {Utc("2026-10-01T00:00:00Z"), Utc("2026-10-01T09:00:00Z")};
  correction.as = Override::kExcluded;
  agreed_.decisions.corrections["c-1"] = correction;
  live_->OnAgreed();
  Settle();
  EXPECT_THAT(Rendered(), HasSubstr(InState("excluded")));
  EXPECT_THAT(Rendered(), HasSubstr(Sla("excluded", "quarter", 8 * 3'600)));
}

TEST_F(LiveSlaTest, AReaderSeesTheServicesDeliveredToIt) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:00:00Z", State::kOk);
  Settle();
  EXPECT_THAT(Rendered(Reach::Of("dal")), HasSubstr("{municipality=\"dal\",service=\"web\""));
  EXPECT_THAT(Rendered(Reach::Of("dal")), Not(HasSubstr("vik")));
  EXPECT_THAT(Rendered(Reach::Of("fjord")), Not(HasSubstr("web")));
}

// A name of the catalogue may hold what would end a label, and with it everybody's page.
TEST_F(LiveSlaTest, EscapesTheNamesOfTheCatalogue) {
  Catalogue catalogue = *agreed_.catalogue;
  catalogue.municipalities.push_back({"å\"b", "å", "nb", {}, ""});
  catalogue.services[0].id = "e\\\"x";
  catalogue.services[0].members = {{"å\"b", {}}};
  catalogue.backups.push_back(
      {"srv1/\"j", {"å\"b"}, std::chrono::hours(26), ParsePercent("99 %").value(), std::nullopt});
  agreed_.catalogue = std::make_shared<const Catalogue>(std::move(catalogue));
  Batch batch;
  batch.backups.push_back(
      {"srv1", "\"j", false, Utc("2026-10-01T01:00:00Z"), Utc("2026-10-01T02:00:00Z"), true, 0, 0});
  ASSERT_TRUE(ledger_->Commit(batch, clock_.Now()).ok());
  Settle();
  const std::string text = Rendered();
  EXPECT_THAT(text,
              HasSubstr(R"(oppetid_sla_target_ratio{municipality="å\"b",service="e\\\"x"} 0.9)"
                        "\n"));
  EXPECT_THAT(text, HasSubstr(R"(ratio{municipality="å\"b",job="srv1/\"j"} 1)"));
}

TEST_F(LiveSlaTest, MemoryKnowsMoreOfARunThanTheLedger) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:00:00Z", State::kOk);
  Settle();
  clock_.Advance(Millis(30'000));
  EXPECT_THAT(Rendered(), HasSubstr(InState("unknown")));
  clock_.Advance(Millis(1));
  auto agent = std::make_shared<AgentView>();
  agent->host = "srv1";
  CheckView check;
  check.check = "http";
  check.run_state = State::kOk;
  check.run_since = Utc("2026-09-30T22:00:00Z");
  check.valid_until = clock_.Now() + Millis(45'000);
  agent->checks.push_back(check);
  View view;
  view.at = clock_.Now();
  view.agents.push_back(agent);
  EXPECT_THAT(live_->Render(view, Reach::All()), HasSubstr(InState("up")));
}

TEST_F(LiveSlaTest, LeavesOutWhatItCannotComputeAnyMore) {
  Store("2026-09-30T22:00:00Z", "2026-10-01T08:00:00Z", State::kOk);
  Settle();
  clock_.Advance(Millis(2 * 3'600'000 + 1));
  EXPECT_THAT(Rendered(), Not(HasSubstr("oppetid_sla_")));
  Settle();
  EXPECT_THAT(Rendered(), HasSubstr(Sla("up", "quarter", 36'000)));
}

TEST_F(LiveSlaTest, TellsHowYoungBackupsHaveBeen) {
  Catalogue catalogue = *agreed_.catalogue;
  catalogue.backups.push_back(
      {"srv1/nightly", {"vik"}, std::chrono::hours(4), ParsePercent("99 %").value(), {}});
  agreed_.catalogue = std::make_shared<const Catalogue>(std::move(catalogue));
  const auto run = [](const char* start, const char* end) {
    Batch batch;
    batch.backups.push_back({"srv1", "nightly", false, Utc(start), Utc(end), true, 0, 0});
    return batch;
  };
  // Known from 23:00 on; young until 02:00; then too old until the next one at 08:00.
  ASSERT_TRUE(
      ledger_->Commit(run("2026-09-30T22:00:00Z", "2026-09-30T23:00:00Z"), clock_.Now()).ok());
  Settle();
  const std::string name =
      "backup_rpo_compliance_ratio{municipality=\"vik\",job=\"srv1/nightly\"} ";
  EXPECT_THAT(Rendered(), HasSubstr(name + "0.3333333333333333\n"));
  clock_.Advance(Millis(3'600'000));
  live_->OnStored(run("2026-10-01T07:30:00Z", "2026-10-01T08:00:00Z"));
  EXPECT_THAT(Rendered(), HasSubstr(name + "0.4\n"));
  EXPECT_THAT(Rendered(Reach::Of("dal")), Not(HasSubstr("srv1/nightly")));
}

TEST_F(LiveSlaTest, HoldsBackWhatIsUnderAnnouncedWork) {
  const auto told = [&] {
    auto agent = std::make_shared<AgentView>();
    agent->municipality = "vik";
    agent->host = "srv1";
    agent->checks.resize(2);
    agent->checks[0].check = "http";
    agent->checks[1].check = "disk";  // of no service
    View view;
    view.at = clock_.Now();
    view.agents.push_back(agent);
    return live_->Render(view, Reach::All());
  };
  const std::string check =
      "oppetid_check_maintenance{municipality=\"vik\",host=\"srv1\",check=\"http\"} 1\n";
  const std::string host = "oppetid_agent_maintenance{municipality=\"vik\",host=\"srv1\"} 1\n";
  EXPECT_THAT(told(), Not(HasSubstr(check)));
  // Announced too late to count as planned, and held back all the same.
  Maintenance window{
      "m-1",        {},           {},       {clock_.Now(), clock_.Now() + Millis(60'000)},
      clock_.Now(), clock_.Now(), "drift1", "Patching"};
  window.services.all = true;
  window.municipalities.names = {"vik"};
  agreed_.decisions.maintenance["m-1"] = window;
  EXPECT_THAT(told(), Not(HasSubstr(check))) << "dal uses it as well";
  agreed_.decisions.maintenance["m-1"].municipalities.all = true;
  EXPECT_THAT(told(), HasSubstr(check));
  EXPECT_THAT(told(), HasSubstr(host));
  EXPECT_THAT(told(), Not(HasSubstr("check=\"disk\"")));
  clock_.Advance(Millis(60'000));
  EXPECT_THAT(told(), Not(HasSubstr(check)));
}

}  // namespace
}  // namespace oppetid::collector
