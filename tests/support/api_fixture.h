// The API with the account's pages over a hub and a real ledger, which commits at once or fails,
// on a clock that the test owns.
//
// A test opens it, adds what more it needs, and then serves it. One whose members the handlers use
// stops it (HttpFixture) before they go.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "collector/account/agreements.h"
#include "collector/account_api.h"
#include "collector/acts.h"
#include "collector/ledger/sqlite.h"
#include "tests/support/http_fixture.h"
#include "tests/support/hub_fixture.h"

namespace oppetid::collector {

class ApiFixture : public HttpFixture, public LedgerWriter {
 protected:
  ~ApiFixture() override { Stop(); }

  void Open(bool anonymous) {
    auto ledger = OpenSqliteLedger(directory_.path() + "/ledger.sqlite");
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = *std::move(ledger);
    hub_.emplace(clock_, *this, counters_, ledger_->id(), std::vector<AgentRow>{});
    acts_.emplace(*hub_, clock_);
    acts_->AddView([this](const Act& act) { agreements_.Tell(act); });
    tokens_.emplace(*acts_);
    api_.emplace(*hub_, *ledger_, counters_, clock_, *tokens_, anonymous);
    AddAccountPages(*api_, *acts_, agreements_, *hub_, *ledger_, clock_);
  }
  void Serve() {
    Start([this](HttpRequest request, HttpDone done) {
      api_->Handle(std::move(request), std::move(done));
    });
  }

  void Commit(std::shared_ptr<const Batch> batch, Instant now,
              std::function<void(absl::Status)> done) override {
    const absl::Status status = fault_.ok() ? ledger_->Commit(*batch, now) : fault_;
    boost::asio::post(io_, [done, status] { done(status); });
  }

  ManualClock clock_{FromUnixMillis(kHubStartMs)};
  Counters counters_{clock_};
  std::unique_ptr<Ledger> ledger_;
  std::optional<Hub> hub_;
  Agreements agreements_;
  std::optional<Acts> acts_;
  std::optional<Tokens> tokens_;
  std::optional<Api> api_;
  absl::Status fault_;
};

}  // namespace oppetid::collector
