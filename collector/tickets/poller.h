// Keeps the sources of tickets read: asks when it is time, maps what they tell, stores it, and
// knows how each is.
//
// What a source tells and how far it was read go into one transaction. Threading: the hub's thread;
// sources are coroutines on it. Lifetime: what the constructor takes outlives this, and this the
// loop that it runs on.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "collector/hub.h"
#include "collector/tickets/source_config.h"
#include "collector/tickets/sync.h"

namespace oppetid::collector {

class TicketPoller {
 public:
  TicketPoller(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
               boost::asio::any_io_executor executor);
  ~TicketPoller();

  absl::Status Start(std::vector<TicketSourceConfig> configs, LedgerReader& reader);
  // About once a second.
  void Tick();

  std::vector<std::string> names() const;
  // Sources that have not been read for so long that what is known of them is no news.
  std::set<std::string> Stale() const;
  // helpdesk_source_*, helpdesk_unmapped_total and helpdesk_rejected_total.
  std::string Metrics() const;
  // How each source is: what was not mapped, and what was rejected, with line and reason.
  std::string Json() const;
  // Grows whenever tickets were stored.
  uint64_t stored() const { return stored_; }

 private:
  struct Source;
  boost::asio::awaitable<void> Ask(std::shared_ptr<Source> source, TicketQuestion question);
  void Take(const std::shared_ptr<Source>& source, TicketPage page);
  void Fail(Source& source, const absl::Status& status);
  void FindOpenTickets(const std::shared_ptr<Source>& source);

  Hub& hub_;
  const Ledger& ledger_;
  const Clock& clock_;
  BlockingPool& pool_;
  boost::asio::any_io_executor executor_;
  std::vector<std::shared_ptr<Source>> sources_;
  uint64_t stored_ = 0;
};

}  // namespace oppetid::collector
