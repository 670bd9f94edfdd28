// A CA's roll-over in three steps, none of which cuts off a living agent.
//
// start: a new CA is made; agents are told over their streams to trust both. Once every living
// agent does, new certificates come from the new one, and agents are asked to renew. finish: when
// no living agent has a certificate of the old one any more, that is no longer trusted. Each step
// is an act. Which CAs there are, the files say (trust.h).
// Threading: the hub's thread. Lifetime: what the constructor takes outlives this.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "collector/acts.h"
#include "collector/hosts.h"
#include "collector/hub.h"
#include "collector/trust.h"

namespace oppetid::collector {

class Rollover {
 public:
  using Told = std::function<void(absl::StatusOr<std::string>)>;

  // `on_changed`: what the server shows and trusts is to be taken anew from `trust`.
  Rollover(Hub& hub, Acts& acts, const Hosts& hosts, Trust& trust, const Clock& clock,
           std::function<void()> on_changed);

  void Apply(const Act& act);

  void Start(Caller caller, Told done);
  void Finish(Caller caller, Told done);
  // As `oppetid ca rollover status --json` prints it.
  std::string StatusJson() const;

  void OnHello(const Peer& peer, const v1::Hello& hello);
  // Goes on to the new CA when nobody is left to wait for. About once a second.
  void Tick();

 private:
  // What an agent told with its newest connection.
  struct Known {
    std::string authority;  // of its certificate
    std::set<std::string> trusted;
  };
  struct Waiting {
    std::string municipality, host, why;
  };
  bool switched() const;
  // The living agents that the next step would cut off.
  std::vector<Waiting> WaitingFor() const;
  std::string WhyWait(const std::string& host, const std::string& authority) const;
  void Drop(const std::string& hash);
  void Tell(const std::string& host, const Known& known);
  void TellAll();

  Hub& hub_;
  Acts& acts_;
  const Hosts& hosts_;
  Trust& trust_;
  const Clock& clock_;
  std::function<void()> on_changed_;
  std::map<std::string, Known> known_;  // by host
  bool recording_ = false;
  Steady next_look_{};
};

}  // namespace oppetid::collector
