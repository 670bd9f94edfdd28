// What the sensors that speak TLS share: trust, the handshake, and what a certificate chain is
// worth to a client.
//
// The handshake always goes through, and the chain is judged afterwards: so an expired certificate
// still has its date told, and the caller decides before a byte of its own is sent.
// Threading: the agent's thread; files are read on the pool.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "agent/sensors/sensor.h"
#include "common/instant.h"

namespace oppetid::agent {

// What a client thinks of a chain.
struct Chain {
  Instant expiry;       // of the certificate that expires first
  std::string expires;  // which one that is: "certificate", "certificate 2 of the chain"
  std::string trouble;  // why a client refuses it, one line; empty when it does not
};

using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

struct Shaken {
  std::unique_ptr<TlsStream> stream;  // set unless error is
  std::string error;
  std::optional<Chain> chain;
};

// The trusted authorities of one sensor, in one context that is made when it is first needed.
class TlsClient {
 public:
  // `ca` is a PEM file of authorities; empty for the system's.
  TlsClient(std::string ca, World& world) : ca_(std::move(ca)), world_(world) {}

  // Makes the context, or makes it anew when the file has changed. The error, or empty: without
  // authorities nothing can be judged, so the answer is unknown then.
  boost::asio::awaitable<std::string> Prepare();

  // Shakes hands as a client that asks for `server_name`, a name or an address. Prepare() first.
  boost::asio::awaitable<Shaken> ShakeHands(boost::asio::ip::tcp::socket socket,
                                            std::string server_name);

  // Judges certificates read from a file, the host's own first; with `server_name` empty any name
  // will do, and without `trust` any authority. nullopt when `pem` holds no certificate.
  std::optional<Chain> JudgePem(const std::string& pem, const std::string& server_name, bool trust);

 private:
  struct Loaded;

  std::string ca_;
  World& world_;
  std::unique_ptr<boost::asio::ssl::context> context_;
  std::string version_;  // of the file the context was made from
};

}  // namespace oppetid::agent
