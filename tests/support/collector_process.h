// A real oppetid-collector, in a temporary state directory with a certificate authority of its own.
//
// Threading: one thread. Lifetime: the destructor ends the collector and removes its directory.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/support/child_process.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace oppetid {

// What the collector's server certificate and the agents' clients name each other by.
inline constexpr char kTestTrustDomain[] = "oppetid.local";

class CollectorProcess {
 public:
  static absl::StatusOr<std::unique_ptr<CollectorProcess>> Start();

  const TestCa& ca() const { return ca_; }
  ChildProcess& process() { return *process_; }
  const std::string& grpc() const { return grpc_; }  // ip:port
  const std::string& http() const { return http_; }  // ip:port
  // A counter or gauge of /metrics, `series` as it stands there; 0 when it does not.
  double Metric(const std::string& series) const {
    return MetricOf(HttpGet(http_, "/metrics"), series);
  }

 private:
  CollectorProcess() = default;
  TestCa ca_;
  TempDir directory_;
  std::string grpc_, http_;
  std::unique_ptr<ChildProcess> process_;
};

// The certificate of an agent: a client of `ca` with a SPIFFE id.
TestCertificate AgentCertificate(const TestCa& ca, const std::string& municipality,
                                 const std::string& host);

}  // namespace oppetid
