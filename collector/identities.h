// Everything about identity put together: trust, hosts, enrolment, revocation, roll-over.
//
// Threading: the hub's thread. Lifetime: what Open takes outlives this.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "collector/api.h"
#include "collector/config.h"
#include "collector/enrolment.h"
#include "collector/rollover.h"
#include "common/async.h"

namespace oppetid::collector {

class Identities {
 public:
  // Reads or makes the files, and follows the acts from now on: before they are loaded.
  static absl::StatusOr<std::unique_ptr<Identities>> Open(const CollectorConfig& config, Hub& hub,
                                                          Acts& acts, Counters& counters,
                                                          const Clock& clock,
                                                          boost::asio::any_io_executor executor);

  // After the acts: what the ledger knows of agents, and what it has forgotten of revocations.
  absl::Status Settle(const std::vector<AgentRow>& stored);
  void AddRoutes(Api& api);
  // `changed` is called when the server is to show another certificate, or other CAs.
  void OnServerChange(std::function<void(const ServerIdentity&)> changed);
  // Renews the server's certificate; goes on with a roll-over. About once a second.
  void Tick();

  const Trust& trust() const { return *trust_; }
  Enrolment& enrolment() { return *enrolment_; }

 private:
  Identities(Hub& hub, Counters& counters, const Clock& clock,
             boost::asio::any_io_executor executor)
      : hub_(hub), counters_(counters), clock_(clock), executor_(std::move(executor)) {}
  absl::Status OpenLists(const CollectorConfig& config);
  void Wire(const CollectorConfig& config, Acts& acts);
  void Publish();

  Hub& hub_;
  Counters& counters_;
  const Clock& clock_;
  boost::asio::any_io_executor executor_;
  Hosts hosts_;
  std::unique_ptr<Trust> trust_;
  std::optional<Revocations> revocations_;
  std::optional<Rollover> rollover_;
  std::optional<Enrolment> enrolment_;
  std::function<void(const ServerIdentity&)> changed_;
  Steady next_look_{};
  bool failing_ = false;
  BlockingPool files_{"files", 1};  // one thread: lists are written one at a time
};

}  // namespace oppetid::collector
