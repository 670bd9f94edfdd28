// How servers get, renew and lose their identity: invitations, enrolment, renewal, revocation.
//
// Every step is an act in the audit chain before anybody is told of it; what holds is what Hosts
// says. Threading: the hub's thread; lists are synced on the pool. Lifetime: what the constructor
// takes outlives this.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "collector/acts.h"
#include "collector/hosts.h"
#include "collector/hub.h"
#include "collector/revocations.h"
#include "collector/trust.h"

namespace oppetid::collector {

class Rollover;

class Enrolment : public Gate {
 public:
  using Told = std::function<void(absl::StatusOr<std::string>)>;
  using Enrolled = std::function<void(absl::StatusOr<v1::EnrolReply>)>;
  // Runs blocking work elsewhere and then `done` on the hub's thread.
  using Elsewhere =
      std::function<void(std::function<absl::Status()>, std::function<void(absl::Status)>)>;

  Enrolment(Hub& hub, Acts& acts, Hosts& hosts, Trust& trust, Revocations& revocations,
            Rollover& rollover, Counters& counters, const Clock& clock, std::string trust_domain,
            Elsewhere elsewhere);

  // --- People's acts ---
  // Tells the token, which is written down nowhere else.
  void Invite(Caller caller, Identity identity, Millis ttl, Told done);
  void Reinvite(Caller caller, const std::string& host, Millis ttl, Told done);
  // Ends the host's streams at once and refuses its certificates from now on; when `retired`, for
  // good, and it leaves the views.
  void End(Caller caller, const std::string& host, const std::string& reason, bool retired,
           Told done);

  // --- The network's ---
  // Redeems an invitation for somebody without a certificate.
  void Enrol(const v1::EnrolRequest& request, const std::string& peer, Enrolled done);
  Reason Admit(const Peer& peer) override { return hosts_.Admit(peer); }
  void OnHello(const Peer& peer, const v1::Hello& hello) override;
  void OnRenewal(const Peer& peer, const v1::RenewalRequest& request) override;

 private:
  void Record(Caller caller, const std::string& host, Millis ttl,
              std::function<absl::StatusOr<std::string>()> municipality, Told done);
  // What only the list says of this host becomes part of the chain.
  void RecordListed(const std::string& host);
  // Whether the invitation may be redeemed with this key.
  absl::Status CheckEnrol(const v1::EnrolRequest& request) const;
  bool MayAttempt(const std::string& token, Steady now);
  void NoteFailure(const std::string& token, Steady now);
  absl::StatusOr<v1::EnrolReply> ReplyFor(const std::string& token) const;
  void SendCertificate(const std::string& host);

  Hub& hub_;
  Acts& acts_;
  Hosts& hosts_;
  Trust& trust_;
  Revocations& revocations_;
  Rollover& rollover_;
  Counters& counters_;
  const Clock& clock_;
  std::string trust_domain_;
  Elsewhere elsewhere_;
  std::deque<Steady> failures_;                         // of all, the recent ones
  std::map<std::string, std::deque<Steady>> by_token_;  // of tokens that exist
  std::map<std::string, Steady> renewed_;               // by host, when it was last asked for
};

}  // namespace oppetid::collector
