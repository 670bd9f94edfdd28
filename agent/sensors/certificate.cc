// certificate: for how long will clients still accept a server's certificates, or those in a file?
// Warning and critical by the time left to the first expiry in the chain; critical at once when
// clients refuse it today (expired, not yet valid, untrusted, for another name) or nobody answers.
#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/tls.h"
#include "common/async.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxPemBytes = 1'000'000;  // a chain has some kilobytes
constexpr Millis kDay = std::chrono::hours(24);
constexpr Millis kLongest = std::chrono::hours(24 * 3660);  // ten years ahead

struct CertificateConfig {
  HostPort target;
  std::string file;  // in place of the target
  std::string server_name;
  std::string ca;
  Millis warning{};
  Millis critical{};
};

class CertificateSensor : public Sensor {
 public:
  CertificateSensor(CertificateConfig config, World& world)
      : config_(std::move(config)), world_(world), tls_(config_.ca, world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Answer answer;
    const std::string unprepared = co_await tls_.Prepare();
    if (!unprepared.empty()) {
      answer.text = unprepared;
      co_return answer;
    }
    std::optional<Chain> chain;
    if (config_.file.empty()) {
      chain = co_await FromTarget(answer);
    } else {
      chain = co_await FromFile(answer);
    }
    if (chain) Judge(*chain, answer);
    co_return answer;
  }

  State StateWhenLate() const override {
    return config_.file.empty() ? State::kCritical : State::kUnknown;
  }

 private:
  boost::asio::awaitable<std::optional<Chain>> FromTarget(Answer& answer) {
    Connected connected = co_await Connect(world_, config_.target);
    if (!connected.error.empty()) {
      answer.state = connected.could_not_ask ? State::kUnknown : State::kCritical;
      answer.text = OneLine(connected.error);
      co_return std::nullopt;
    }
    const Steady start = world_.clock.SteadyNow();
    Shaken shaken = co_await tls_.ShakeHands(std::move(*connected.socket), config_.server_name);
    if (!shaken.chain) {
      answer.state = State::kCritical;
      answer.text = shaken.error;
      co_return std::nullopt;
    }
    const auto phase = [&answer](const char* name, Steady::duration took) {
      answer.samples.push_back({"probe_duration_seconds", {{"phase", name}}, Seconds(took)});
    };
    phase("resolve", connected.resolve_time);
    phase("connect", connected.connect_time);
    phase("tls", world_.clock.SteadyNow() - start);
    co_return std::move(shaken.chain);
  }

  boost::asio::awaitable<std::optional<Chain>> FromFile(Answer& answer) {
    using Content = absl::StatusOr<std::string>;
    std::function<Content()> work = [file = config_.file] { return ReadFile(file, kMaxPemBytes); };
    const Content pem = co_await OnPool<Content>(world_.pool, std::move(work));
    if (!pem.ok()) {
      answer.text = OneLine("cannot " + std::string(pem.status().message()));
      co_return std::nullopt;
    }
    auto chain = tls_.JudgePem(*pem, config_.server_name, !config_.ca.empty());
    if (!chain) {
      answer.state = State::kCritical;
      answer.text = OneLine(config_.file + " holds no certificate in PEM form");
    }
    co_return chain;
  }

  void Judge(const Chain& chain, Answer& answer) const {
    answer.samples.push_back({"certificate_expiry_timestamp_seconds",
                              {},
                              static_cast<double>(ToUnixMillis(chain.expiry)) / 1000});
    if (!chain.trouble.empty()) {
      answer.state = State::kCritical;
      answer.text = chain.trouble;
      return;
    }
    const Millis left = chain.expiry - world_.clock.Now();
    answer.state = left <= config_.critical  ? State::kCritical
                   : left <= config_.warning ? State::kWarning
                                             : State::kOk;
    answer.text = chain.expires + " expires in " + std::to_string(left / kDay) + " days, at " +
                  FormatInstant(chain.expiry);
  }

  CertificateConfig config_;
  World& world_;
  TlsClient tls_;
};

}  // namespace

std::unique_ptr<Sensor> MakeCertificateSensor(YamlMap& config, World& world) {
  CertificateConfig certificate;
  if (config.Has("file")) {
    certificate.file = config.RequiredString("file");
    if (!certificate.file.empty() && !certificate.file.starts_with('/')) {
      config.Fault("file", "`file`: expected an absolute path");
    }
    if (config.Has("target")) config.Fault("target", "`target`: either this or `file`, not both");
  } else {
    certificate.target = ReadTarget(config, "target");
  }
  certificate.server_name = config.String("server_name", certificate.target.host);
  certificate.ca = config.String("ca", "");
  certificate.warning = config.Duration("warning", Millis(0), kLongest, 30 * kDay);
  certificate.critical = config.Duration("critical", Millis(0), kLongest, 7 * kDay);
  if (certificate.critical > certificate.warning) {
    config.Fault("critical", "`critical`: must not be longer than `warning`");
  }
  return std::make_unique<CertificateSensor>(std::move(certificate), world);
}

}  // namespace oppetid::agent
