// antivirus: does the virus scanner run, and how old are its signatures? Asks clamd of ClamAV over
// its own socket or port.
//
// A daemon that does not run or does not answer protects nobody: critical. That we may not open its
// socket says nothing of it: unknown.
#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "agent/sensors/clamd_lines.h"
#include "agent/sensors/host_levels.h"
#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
namespace local = boost::asio::local;

constexpr size_t kMaxReply = 1024;  // its replies have some 60 bytes
constexpr size_t kMaxPath = 107;    // of a Unix socket
constexpr int64_t kHourMs = 3'600'000;
// clamd tells the time of its own zone, and clocks differ; anything later is a wrong clock.
constexpr int64_t kMaxAheadMs = 24 * kHourMs;

struct AntivirusConfig {
  std::string socket;  // or
  std::optional<HostPort> target;
  Levels age;  // milliseconds
};

struct Reply {
  std::string error;
  bool could_not_ask = false;
  std::string text;
};

template <typename Stream>
boost::asio::awaitable<Reply> Talk(Stream stream, std::string question) {
  Reply reply;
  boost::system::error_code error;
  co_await boost::asio::async_write(stream, boost::asio::buffer(question),
                                    redirect_error(use_awaitable, error));
  std::array<char, kMaxReply> buffer{};
  while (!error && reply.text.size() < kMaxReply && reply.text.find('\n') == std::string::npos) {
    const size_t got = co_await stream.async_read_some(boost::asio::buffer(buffer),
                                                       redirect_error(use_awaitable, error));
    reply.text.append(buffer.data(), got);
  }
  if (reply.text.empty()) {
    reply.error = "clamd ends the connection without an answer";
    reply.could_not_ask = error == boost::asio::error::operation_aborted;
  }
  co_return reply;
}

class AntivirusSensor : public Sensor {
 public:
  AntivirusSensor(AntivirusConfig config, World& world)
      : config_(std::move(config)), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    const Reply ping = co_await Converse("nPING\n");
    if (!ping.error.empty()) co_return Failed(ping);
    Answer answer;
    if (!ping.text.starts_with("PONG")) {
      answer.text = "this is not clamd: " + OneLine(ping.text, 60);
      co_return answer;
    }
    const Reply version = co_await Converse("nVERSION\n");
    if (!version.error.empty()) co_return Failed(version);
    Judge(version.text, answer);
    co_return answer;
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  boost::asio::awaitable<Reply> Converse(std::string question) {
    Reply reply;
    if (config_.target) {
      Connected connected = co_await Connect(world_, *config_.target);
      reply.error = connected.error;
      reply.could_not_ask = connected.could_not_ask;
      if (!reply.error.empty()) co_return reply;
      co_return co_await Talk(std::move(*connected.socket), std::move(question));
    }
    local::stream_protocol::socket socket(world_.executor);
    boost::system::error_code error;
    co_await socket.async_connect(local::stream_protocol::endpoint(config_.socket),
                                  redirect_error(use_awaitable, error));
    if (error) {
      reply.error = "clamd does not run: " + config_.socket + ": " + error.message();
      reply.could_not_ask = error == boost::asio::error::access_denied;
      if (reply.could_not_ask)
        reply.error = "may not open " + config_.socket + ": " + error.message();
      co_return reply;
    }
    co_return co_await Talk(std::move(socket), std::move(question));
  }

  static Answer Failed(const Reply& reply) {
    Answer answer;
    answer.state = reply.could_not_ask ? State::kUnknown : State::kCritical;
    answer.text = OneLine(reply.error);
    return answer;
  }

  void Judge(const std::string& text, Answer& answer) const {
    const auto version = ParseClamdVersion(text);
    if (!version) {
      answer.text = "this is not clamd: " + OneLine(text, 60);
      return;
    }
    if (!version->made) {
      answer.text = version->program + " does not tell the age of its signatures";
      return;
    }
    std::tm made = *version->made;
    const std::time_t seconds = std::mktime(&made);
    const std::string signatures = version->program + ", signatures " + version->database + " are ";
    const int64_t age_ms = ToUnixMillis(world_.clock.Now()) - int64_t{seconds} * 1000;
    answer.samples.push_back(
        {"antivirus_signatures_timestamp_seconds", {}, static_cast<double>(seconds)});
    if (age_ms < -kMaxAheadMs) {
      answer.text = OneLine("a clock is wrong: " + signatures + "of the future");
      return;
    }
    answer.state = config_.age.Of(age_ms);
    answer.text =
        OneLine(signatures + std::to_string(std::max<int64_t>(age_ms, 0) / kHourMs) + " h old");
  }

  AntivirusConfig config_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeAntivirusSensor(YamlMap& config, World& world) {
  AntivirusConfig antivirus;
  antivirus.socket = config.String("socket", "/var/run/clamav/clamd.ctl");
  if (!antivirus.socket.starts_with('/') || antivirus.socket.size() > kMaxPath) {
    config.Fault("socket", "`socket`: expected an absolute path of at most 107 bytes");
  }
  if (config.Has("target")) {
    if (config.Has("socket")) config.Fault("target", "`target`: give it or `socket`, not both");
    antivirus.target = ReadTarget(config, "target");
  }
  constexpr Millis kLongest = std::chrono::hours(24 * 365);
  const Millis warning = config.Duration("warning", Millis(1000), kLongest, std::chrono::hours(48));
  const Millis critical =
      config.Duration("critical", Millis(1000), kLongest, std::chrono::hours(24 * 7));
  if (warning >= critical) config.Fault("critical", "`critical` must be longer than `warning`");
  antivirus.age = {warning.count(), critical.count()};
  return std::make_unique<AntivirusSensor>(std::move(antivirus), world);
}

}  // namespace oppetid::agent
