// A certificate authority: a key that vouches for the keys of agents and of the collector itself.
//
// Of what an agent sends only the public key enters its certificate; everything else is decided
// here. Pure but for the random generator. Threading: the hub's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/identity.h"
#include "common/pki.h"

namespace oppetid::collector {

struct Issued {
  std::string pem;
  std::string serial;  // hex, as in Peer
  Instant expires;
};

class Authority {
 public:
  // A new CA with a key of its own, valid for ten years.
  static absl::StatusOr<Authority> Make(Instant now) { return Make(PrivateKey::Make(), now); }
  static absl::StatusOr<Authority> Make(const PrivateKey& key, Instant now);
  // One that exists; without `key` it vouches for nobody new.
  Authority(PemCertificate certificate, std::optional<PrivateKey> key);

  // For the holder of this public key, as the agent of that host.
  absl::StatusOr<Issued> IssueAgent(std::string_view public_key, const Identity& identity,
                                    const std::string& trust_domain, Instant now,
                                    Millis life) const;
  // For the collector itself, by these names: host names and addresses.
  absl::StatusOr<Issued> IssueServer(std::string_view public_key,
                                     const std::vector<std::string>& names, Instant now,
                                     Millis life) const;

  // KeyHash of its key: how it is named.
  const std::string& hash() const { return hash_; }
  const std::string& pem() const { return certificate_.pem; }
  Instant expires() const { return certificate_.until; }
  const std::optional<PrivateKey>& key() const { return key_; }

 private:
  PemCertificate certificate_;
  std::string hash_;
  std::optional<PrivateKey> key_;
};

// Whether this can name a server in a certificate: an address, or a host name.
bool IsServerName(const std::string& name);

}  // namespace oppetid::collector
