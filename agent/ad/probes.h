// The questions to a controller's services that need no account: Kerberos, DNS, SMB, SNTP,
// TLS.
//
// Threading: each call blocks its own thread, at most until its deadline.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/ad/socket.h"
#include "agent/ad/view.h"

namespace oppetid::agent {

struct KerberosSeen {
  AdProbe probe;
  std::optional<int> error;
  std::optional<Millis> skew;
};
// Over UDP, then over TCP when nothing comes.
KerberosSeen ProbeKerberos(const AdAddress& address, const std::string& account,
                           const std::string& realm, AdDeadline until);

// The SRV targets of a name ("dc1.ad.example", sorted), or whether a CNAME is there; nullopt with
// `trouble` when the server does not answer. A name it does not know has no targets.
std::optional<std::vector<std::string>> AskServers(const AdAddress& address,
                                                   const std::string& name, AdDeadline until,
                                                   std::string& trouble);
std::optional<bool> AskAlias(const AdAddress& address, const std::string& name, AdDeadline until,
                             std::string& trouble);

struct SntpSeen {
  AdProbe probe;
  std::optional<Millis> skew;
};
SntpSeen ProbeSntp(const AdAddress& address, AdDeadline until);

AdProbe ProbeSmb(const AdAddress& address, AdDeadline until);

struct TlsSeen {
  AdProbe probe;
  std::optional<AdCertificate> certificate;
};
TlsSeen ProbeTls(const AdAddress& address, uint16_t port, const std::string& name,
                 const std::string& ca, AdDeadline until);

}  // namespace oppetid::agent
