#include "tests/support/collector_process.h"

#include <sys/stat.h>

#include <fstream>

namespace oppetid {
namespace {

constexpr Millis kReadyWithin{30'000};

bool Write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good() && ::chmod(path.c_str(), 0600) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CollectorProcess>> CollectorProcess::Start() {
  std::unique_ptr<CollectorProcess> self(new CollectorProcess());
  const std::string& state = self->directory_.path();
  const TestCertificate server = self->ca_.Issue();
  if (!Write(state + "/ca.pem", self->ca_.certificate()) ||
      !Write(state + "/server.pem", server.certificate) ||
      !Write(state + "/server.key", server.key) ||
      !Write(state + "/collector.yaml",
             "state: " + state +
                 "\ngrpc: 127.0.0.1:0\nhttp: {listen: \"127.0.0.1:0\", anonymous: true}\n"
                 "trust_domain: " +
                 kTestTrustDomain + "\n")) {
    return absl::InternalError("cannot write to " + state);
  }
  auto process = ChildProcess::Start(
      {Sibling("oppetid-collector"), "run", "--config", state + "/collector.yaml"});
  if (!process.ok()) return process.status();
  self->process_ = *std::move(process);
  const std::string started = self->process_->AwaitLine("grpc_port=", kReadyWithin);
  if (started.empty()) {
    return absl::InternalError("oppetid-collector did not start:\n" + self->process_->LastLines());
  }
  self->grpc_ = "127.0.0.1:" + std::to_string(NumberIn(started, "grpc_port"));
  self->http_ = "127.0.0.1:" + std::to_string(NumberIn(started, "http_port"));
  return self;
}

TestCertificate AgentCertificate(const TestCa& ca, const std::string& municipality,
                                 const std::string& host) {
  CertificateWish wish;
  wish.names = {std::string("URI:spiffe://") + kTestTrustDomain + "/municipality/" + municipality +
                "/host/" + host};
  return ca.Issue(wish);
}

}  // namespace oppetid
