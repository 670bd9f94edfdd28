#include "tests/bench/load_target.h"

#include <sys/stat.h>
#include <time.h>

#include <boost/json/parse.hpp>
#include <cstring>
#include <fstream>
#include <optional>

#include "common/file.h"
#include "common/instant.h"
#include "tests/support/child_process.h"
#include "tests/support/collector_process.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

namespace oppetid::load {
namespace {

constexpr Millis kReadyWithin{30'000};
constexpr char kSamplesTotal[] = "oppetid_collector_samples_total";

class RunningCollector : public Target {
 public:
  RunningCollector(TestCa ca, std::string grpc, std::string http, pid_t pid)
      : ca_(std::move(ca)), grpc_(std::move(grpc)), http_(std::move(http)), pid_(pid) {}
  const TestCa& ca() const override { return ca_; }
  std::string grpc() const override { return grpc_; }
  pid_t pid() const override { return pid_; }
  double SamplesTaken() const override {
    return MetricOf(HttpGet(http_, "/metrics"), kSamplesTotal);
  }

 private:
  TestCa ca_;
  std::string grpc_, http_;
  pid_t pid_;
};

class OwnCollector : public Target {
 public:
  explicit OwnCollector(std::unique_ptr<CollectorProcess> collector)
      : collector_(std::move(collector)) {}
  const TestCa& ca() const override { return collector_->ca(); }
  std::string grpc() const override { return collector_->grpc(); }
  pid_t pid() const override { return collector_->process().pid(); }
  double SamplesTaken() const override { return collector_->Metric(kSamplesTotal); }

 private:
  std::unique_ptr<CollectorProcess> collector_;
};

class Sink : public Target {
 public:
  const TestCa& ca() const override { return ca_; }
  std::string grpc() const override { return grpc_; }
  pid_t pid() const override { return process_->pid(); }
  double SamplesTaken() const override { return -1; }

  absl::Status Start() {
    const std::string& directory = directory_.path();
    const TestCertificate server = ca_.Issue();
    std::ofstream(directory + "/ca.pem") << ca_.certificate();
    std::ofstream(directory + "/server.pem") << server.certificate;
    std::ofstream(directory + "/server.key") << server.key;
    if (::chmod((directory + "/server.key").c_str(), 0600) != 0) {
      return absl::InternalError("cannot write to " + directory);
    }
    auto process = ChildProcess::Start({Sibling("oppetid-load"), "sink", directory});
    if (!process.ok()) return process.status();
    process_ = *std::move(process);
    const std::string started = process_->AwaitLine("grpc_port=", kReadyWithin);
    if (started.empty()) return absl::InternalError("the sink did not start");
    grpc_ = "127.0.0.1:" + std::to_string(NumberIn(started, "grpc_port"));
    return absl::OkStatus();
  }

 private:
  TestCa ca_;
  TempDir directory_;
  std::string grpc_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace

absl::StatusOr<double> Target::CpuSeconds() const {
  clockid_t clock;
  timespec time{};
  if (::clock_getcpuclockid(pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    return absl::UnavailableError("the measured process has ended");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

absl::StatusOr<double> Target::MemoryBytes() const {
  std::ifstream file("/proc/" + std::to_string(pid()) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    double kilobytes = 0;
    if (word == "Pss:" && file >> kilobytes) return kilobytes * 1024;
  }
  return absl::PermissionDeniedError("cannot read the memory of process " + std::to_string(pid()) +
                                     "; be its user, or root");
}

absl::StatusOr<std::unique_ptr<Target>> OpenState(const std::string& directory) {
  const auto text = ReadFile(directory + "/run.json");
  if (!text.ok()) return text.status();
  const auto certificate = ReadFile(directory + "/ca/ca.pem");
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadSecretFile(directory + "/ca/ca.key");
  if (!key.ok()) return key.status();
  auto ca = TestCa::Load(*certificate, *key);
  if (!ca) return absl::InvalidArgumentError(directory + "/ca holds no certificate authority");
  boost::system::error_code error;
  const boost::json::value run = boost::json::parse(*text, error);
  const auto field = [&](const char* pointer) -> const boost::json::value* {
    return error ? nullptr : run.find_pointer(pointer, error);
  };
  const boost::json::value* grpc = field("/grpc");
  const boost::json::value* http = field("/http");
  const boost::json::value* pid = field("/pids/collector");
  if (grpc == nullptr || http == nullptr || pid == nullptr || !grpc->is_string() ||
      !http->is_string() || !pid->is_int64()) {
    return absl::InvalidArgumentError(directory + "/run.json is not deploy/run's");
  }
  return std::make_unique<RunningCollector>(*std::move(ca), std::string(grpc->get_string()),
                                            std::string(http->get_string()),
                                            static_cast<pid_t>(pid->get_int64()));
}

absl::StatusOr<std::unique_ptr<Target>> StartCollector() {
  auto collector = CollectorProcess::Start();
  if (!collector.ok()) return collector.status();
  return std::make_unique<OwnCollector>(*std::move(collector));
}

absl::StatusOr<std::unique_ptr<Target>> StartSink() {
  auto sink = std::make_unique<Sink>();
  if (auto status = sink->Start(); !status.ok()) return status;
  return sink;
}

}  // namespace oppetid::load
