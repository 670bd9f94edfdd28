// Everything about tickets put together: sources, pushes, metrics, pages.
//
// Threading: the hub's thread; metrics are computed on the pool. Lifetime: what the constructor
// takes outlives this, and this the loop it runs on.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/api.h"
#include "collector/tickets/figures.h"
#include "collector/tickets/intake.h"
#include "collector/tickets/poller.h"

namespace oppetid::collector {

class TicketDesk {
 public:
  // New tickets show in the metrics this late, since a hundred thousand of them cost a second of
  // CPU to count; and without any, what time alone changes.
  static constexpr Millis kComputeEvery{60'000};
  static constexpr Millis kComputeAtLeastEvery{300'000};

  TicketDesk(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
             boost::asio::any_io_executor executor);

  absl::Status Start(std::vector<TicketSourceConfig> configs, LedgerReader& reader);
  // Adds POST /api/v1/tickets, GET /api/v1/tickets/sources, and helpdesk_* to /metrics. After
  // Start.
  void AddPages(Api& api);
  // Whose targets and hours the metrics use: asked on the hub's thread, may say nullptr. Without
  // one there is no met ratio, and clocks run round the clock.
  using GetCatalogue = std::function<std::shared_ptr<const Catalogue>()>;
  void FollowCatalogue(GetCatalogue in_force);
  // Somebody decided something: it shows with the next Tick.
  void OnAgreed() { computed_at_.reset(); }
  // About once a second.
  void Tick();

 private:
  void Compute();

  Hub& hub_;
  const Ledger& ledger_;
  const Clock& clock_;
  BlockingPool& pool_;
  boost::asio::any_io_executor executor_;
  TicketPoller poller_;
  std::optional<TicketIntake> intake_;
  std::shared_ptr<const Catalogue> no_catalogue_;
  GetCatalogue in_force_;
  TicketMetricTexts texts_;
  bool computed_ = false;  // whether texts_ are of the ledger as it was not long ago
  bool computing_ = false;
  uint64_t computed_of_ = 0;
  std::optional<Steady> computed_at_;
};

}  // namespace oppetid::collector
