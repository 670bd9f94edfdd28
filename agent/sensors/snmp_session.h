// Asks an SNMP agent: version 2c, or version 3 with authentication and encryption.
//
// Own code over a UDP socket instead of net-snmp: that library blocks a thread for every device
// that is down and keeps its users and engines in globals, and what a manager needs is small.
// Threading: the agent's thread. Lifetime: a session lives as long as its sensor and outlives its
// questions; it remembers the engine it spoke with and the keys for it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/sensors/net.h"
#include "agent/sensors/sensor.h"
#include "agent/sensors/snmp_message.h"
#include "agent/sensors/snmp_usm.h"

namespace oppetid::agent {

struct SnmpConfig {
  HostPort target;
  bool v3 = false;
  std::string community_file;  // version 2c
  std::string user;            // version 3, and the rest
  UsmAuth auth = UsmAuth::kSha256;
  std::string auth_file;
  std::string privacy_file;
  Millis patience{1000};  // for an answer, before it is asked again
};

struct SnmpAnswer {
  std::string error;  // one line for people; the values are not to be used then
  std::vector<SnmpValue> values;
};

class SnmpSession {
 public:
  SnmpSession(SnmpConfig config, World& world) : config_(std::move(config)), world_(world) {}

  // To be called before the questions of each attempt: resolves, reads the secrets anew (they may
  // have been changed), and finds out the engine if need be. An error, or empty.
  boost::asio::awaitable<std::string> Open();

  // The values of these objects, in their order; what does not exist is kAbsent.
  boost::asio::awaitable<SnmpAnswer> Get(std::vector<Oid> oids);
  // Everything under `root`, at most `max` values.
  boost::asio::awaitable<SnmpAnswer> Walk(Oid root, size_t max);

 private:
  using Socket = boost::asio::ip::udp::socket;
  struct Secrets {
    std::string error;
    std::string community, auth, privacy;
  };
  struct Heard {
    std::string error;
    std::optional<SnmpPdu> pdu;  // a response
    bool ask_again = false;      // the engine's clock was not what we thought
  };

  boost::asio::awaitable<std::string> ReadSecrets();
  boost::asio::awaitable<std::string> OpenSocket();
  boost::asio::awaitable<std::string> Discover();
  // Sends and waits, a few times over, until `Read` takes a datagram for the answer.
  boost::asio::awaitable<Heard> Exchange(SnmpPdu pdu);
  boost::asio::awaitable<Heard> Request(SnmpPdu pdu);

  std::string Encode(SnmpPdu& pdu);
  std::optional<std::string> EncodeSecured(const std::string& pdu);
  std::optional<Heard> Read(std::string_view datagram, const SnmpPdu& asked);
  std::optional<Heard> ReadV3(std::string_view datagram, const SnmpPdu& asked);
  std::optional<Heard> ReadReport(const SnmpV3& envelope, const SnmpPdu& report, bool proven);
  bool IsProven(const SnmpV3& envelope, std::string_view datagram) const;
  void MakeKeys();
  int64_t EngineTime() const;
  void Learn(const SnmpV3& envelope);

  SnmpConfig config_;
  World& world_;
  Secrets secrets_;
  std::shared_ptr<Socket> socket_;
  std::random_device random_;
  int32_t message_id_ = 0;
  // What is known of the engine; empty until discovered.
  std::string engine_;
  int64_t boots_ = 0;
  int64_t time_ = 0;
  Steady time_known_at_{};
  std::string auth_key_;
  std::string privacy_key_;
};

}  // namespace oppetid::agent
