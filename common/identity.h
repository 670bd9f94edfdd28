// Who a peer is: the identity in its certificate, checked against our own CA.
//
// Names are SPIFFE ids: spiffe://<trust domain>/municipality/<id>/host/<name>. The chain is
// verified here rather than inside gRPC's handshake, so that a refusal has a reason, a counter and
// a log line; TLS itself still proves that the peer holds the certificate's key. Threading: a
// PeerVerifier may be used from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/instant.h"

namespace oppetid {

struct Identity {
  std::string municipality;
  std::string host;
};

// The identity in such a URI of the given trust domain, or why it is none.
absl::StatusOr<Identity> ParseSpiffeId(std::string_view uri, std::string_view trust_domain);

struct Peer {
  Identity identity;
  Instant issued, expires;  // the certificate's validity
  std::string serial;       // hex
  std::string authority;    // KeyHash of the CA that vouches for it
};

class PeerVerifier {
 public:
  // `ca_pem` may hold several certificates (during a CA's roll-over).
  static absl::StatusOr<PeerVerifier> Make(std::string_view ca_pem, std::string trust_domain);
  PeerVerifier(PeerVerifier&&) noexcept;
  PeerVerifier& operator=(PeerVerifier&&) noexcept;
  ~PeerVerifier();

  // From now on these CAs are trusted, and no others.
  absl::Status Trust(std::string_view ca_pem);

  // Verifies a PEM chain, the peer's certificate first, as a TLS client's at `now`. The error's
  // message says what is wrong: unknown CA, expired, no identity …
  absl::StatusOr<Peer> Verify(std::string_view chain_pem, Instant now) const;

 private:
  struct Impl;
  explicit PeerVerifier(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace oppetid
