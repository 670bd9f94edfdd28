// Whom this collector trusts, and how it proves who it is itself: the files of CA and server.
//
// With a CA key it makes what is missing, vouches for agents, and renews its own certificate. While
// a CA rolls over there are two: both are trusted, one issues. Without a CA key (an existing PKI)
// it takes what the files say and issues nothing. Certificates and keys stand in files of their own
// names; a file of keys may hold one more for a moment, so that a crash between two files never
// leaves a certificate without its key.
// Threading: the hub's thread; verifier() may be used from any. Files are small: read and written
// in place.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/authority.h"
#include "common/identity.h"

namespace oppetid::collector {

struct TrustOptions {
  std::string ca;                  // PEM file of the trusted CAs
  std::string ca_key;              // PEM file of their keys; empty: an existing PKI, no enrolment
  std::string certificate, key;    // PEM files of the server itself
  std::vector<std::string> names;  // what agents call this server; for its certificate
  std::string trust_domain;        // of the SPIFFE ids
  Millis life{};                   // of the certificates issued
};

// What the server shows in its handshakes.
struct ServerIdentity {
  std::string certificate, key;  // PEM
  std::string ca;                // PEM, what it trusts
  Instant expires;
};

class Trust {
 public:
  static absl::StatusOr<std::unique_ptr<Trust>> Open(TrustOptions options, Instant now);

  // Whether there is a CA key, and so enrolment.
  bool issues() const { return !options_.ca_key.empty(); }
  // The CA that vouches for new certificates. Only where issues().
  const Authority& issuer() const { return authorities_[issuing_]; }
  // The CA that a roll-over leads away from, and the one it leads to; null while there is none.
  const Authority* old() const;
  const Authority* next() const;
  // All that are trusted.
  const std::vector<Authority>& authorities() const { return authorities_; }
  std::string ca_pem() const;
  const PeerVerifier& verifier() const { return *verifier_; }
  // A certificate for the agent of that host.
  absl::StatusOr<Issued> Issue(std::string_view public_key, const Identity& identity,
                               Instant now) const;

  const ServerIdentity& server() const { return server_; }
  // From half of its life on, or when CA or names are others, a new server certificate takes the
  // place of the old one; of an existing PKI, what the files now say. Whether server() has changed.
  absl::StatusOr<bool> RenewServer(Instant now);

  // The steps of a roll-over. Each leaves the files in order.
  absl::Status AddNext(Instant now);
  void IssueByNext() { issuing_ = authorities_.size() - 1; }
  // Stops trusting the CA of this name.
  absl::Status Drop(const std::string& hash);

 private:
  explicit Trust(TrustOptions options) : options_(std::move(options)) {}
  absl::Status LoadAuthorities(Instant now);
  absl::Status SaveAuthorities(bool keys_first) const;
  absl::Status LoadServer(bool* changed);
  bool ServerIsFine(Instant now) const;
  absl::Status MakeServer(Instant now);

  TrustOptions options_;
  std::vector<Authority> authorities_;  // the oldest first
  size_t issuing_ = 0;
  std::optional<PeerVerifier> verifier_;
  ServerIdentity server_;
};

// The key among these that belongs to the first certificate; nullopt when none does.
std::optional<PrivateKey> KeyOf(const std::vector<PemCertificate>& certificates,
                                const std::vector<PrivateKey>& keys);

}  // namespace oppetid::collector
