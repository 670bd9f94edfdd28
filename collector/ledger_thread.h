// Commits on a thread of its own, because a sync of the disk takes its time.
//
// Threading: Commit from the hub's thread, one at a time; `done` is posted to `executor`.
// Lifetime: the ledger outlives this; the destructor waits for a commit under way.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "collector/hub.h"
#include "collector/ledger/ledger.h"
#include "common/async.h"

namespace oppetid::collector {

class LedgerThread : public LedgerWriter {
 public:
  LedgerThread(Ledger& ledger, boost::asio::any_io_executor executor)
      : ledger_(ledger), executor_(std::move(executor)) {}

  void Commit(std::shared_ptr<const Batch> batch, Instant now,
              std::function<void(absl::Status)> done) override {
    thread_.Post([this, batch = std::move(batch), now, done = std::move(done)] {
      const absl::Status status = ledger_.Commit(*batch, now);
      boost::asio::post(executor_, [done, status] { done(status); });
    });
  }

 private:
  Ledger& ledger_;
  boost::asio::any_io_executor executor_;
  BlockingPool thread_{"ledger", 1};
};

}  // namespace oppetid::collector
