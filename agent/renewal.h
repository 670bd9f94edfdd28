// Keeps the agent's certificate alive: asks for a new one from half of its life on, over the stream
// of the old one, and puts it in force.
//
// The new key is made here and never leaves the server. What is new takes effect with the next
// connection, for which this asks. Time comes in with every call; `wall` is the collector's clock
// as far as it is known, since that decides what has expired. Threading: the agent's thread; files
// are written in place, twice a month.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/credentials.h"
#include "common/clock.h"
#include "oppetid/v1/telemetry.pb.h"

namespace oppetid::agent {

class Renewal {
 public:
  // `random` spreads a fleet's reconnections.
  Renewal(TlsFiles files, std::function<uint64_t()> random);

  // Whom the agent trusts, for Hello.
  void FillHello(v1::Hello* hello);
  // A new stream: whatever was asked for on the last one is asked again.
  void OnConnected(Instant wall, Steady now);
  // A request when one is due.
  std::optional<v1::RenewalRequest> Due(Steady now);
  void OnCertificate(const v1::Certificate& certificate, Instant wall, Steady now);
  // Whether it is time to connect anew; true once.
  bool Reconnect(Steady now);
  // When Due or Reconnect may have something, if nothing happens before.
  Steady Next() const;

 private:
  // Whether what was told of trust has changed.
  absl::StatusOr<bool> TakeCa(const std::string& ca);
  // Reads what is in force and plans by it.
  void Plan(Instant wall, Steady now);

  TlsFiles files_;
  std::function<uint64_t()> random_;
  std::vector<std::string> told_;  // whom the agent trusts, as the last Hello said
  std::optional<PrivateKey> key_;  // asked for, not yet certified
  Millis life_{};
  Steady ask_at_ = Steady::max();
  Steady reconnect_at_ = Steady::max();
};

}  // namespace oppetid::agent
