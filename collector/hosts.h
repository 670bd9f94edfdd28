// What people's acts say of hosts: who was invited, has a certificate, is revoked or retired.
//
// A pure view of acts, of the list of revocations beside the ledger, and of the agents that the
// ledger knows. A host name belongs to one municipality from its first certificate on, for ever;
// `felles` owns what several share. After a revocation only certificates issued since count, by
// their serial numbers.
// Threading: the hub's thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "collector/dictionary.h"
#include "collector/ledger/ledger.h"
#include "collector/revocations.h"
#include "common/identity.h"

namespace oppetid::collector {

// The kinds of acts that this view follows.
inline constexpr char kAgentInvited[] = "agent_invited";
inline constexpr char kAgentEnrolled[] = "agent_enrolled";
inline constexpr char kCertificateRenewed[] = "certificate_renewed";
inline constexpr char kAgentRevoked[] = "agent_revoked";
inline constexpr char kAgentRetired[] = "agent_retired";

// A certificate that was issued here.
struct IssuedCertificate {
  std::string serial;
  std::string key;  // KeyHash of the agent's key
  std::string pem;
  std::string authority;  // KeyHash of the CA
  Instant at, expires;
};

struct Invitation {
  std::string token;        // its id
  std::string secret_hash;  // KeyHash, as of anything: SHA-256 in hex
  Instant expires;
  bool ended = false;  // by a revocation
  std::optional<IssuedCertificate> used;
};

struct Host {
  std::string municipality;
  bool enrolled = false;  // has had a certificate, here or of an existing PKI
  bool revoked = false;
  bool retired = false;
  bool was_revoked = false;         // only `serials` count
  std::deque<std::string> serials;  // issued since the last revocation; kept only where that counts
  std::vector<HostEnd> unrecorded;  // of the list, whose acts the chain does not have
  std::optional<Invitation> invitation;
  std::optional<IssuedCertificate> newest;
};

class Hosts {
 public:
  void Apply(const Act& act);
  // A revocation of the list; one whose act is known changes nothing.
  void Apply(const HostEnd& revocation);
  // The ledger knows an agent of this name. An invitation for another municipality is no more.
  void Know(const std::string& host, const std::string& municipality);

  // kAccepted, or why this peer is refused although its certificate is valid.
  Reason Admit(const Peer& peer) const;

  const std::map<std::string, Host>& all() const { return hosts_; }
  const Host* Find(const std::string& host) const;
  // The host whose newest invitation this is; null when there is none.
  const std::pair<const std::string, Host>* FindByToken(const std::string& token) const;

 private:
  void End(const std::string& host, const std::string& id, bool retired);

  std::map<std::string, Host> hosts_;
  std::map<std::string, std::string> host_of_token_;
  std::set<std::string> ended_;  // ids of the revocations that were applied
};

// The bodies of the acts.
std::string InvitedBody(const std::string& host, const std::string& municipality,
                        const Invitation& invitation);
// `token` is empty for a renewal.
std::string IssuedBody(const std::string& host, const std::string& municipality,
                       const std::string& token, const IssuedCertificate& certificate);
std::string EndedBody(const std::string& host, const std::string& id, const std::string& reason);

}  // namespace oppetid::collector
