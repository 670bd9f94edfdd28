// tcp: can a TCP connection be opened? Ok when it can, critical when it is refused or unanswered,
// unknown when the name does not resolve (a `dns` check answers for the names).
#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"

namespace oppetid::agent {
namespace {

class TcpSensor : public Sensor {
 public:
  TcpSensor(HostPort target, World& world) : target_(std::move(target)), world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    const Connected connected = co_await Connect(world_, target_);
    Answer answer;
    if (!connected.error.empty()) {
      answer.state = connected.could_not_ask ? State::kUnknown : State::kCritical;
      answer.text = connected.error;
      co_return answer;
    }
    answer.state = State::kOk;
    answer.text = "connected in " + FormatMs(connected.connect_time);
    answer.samples.push_back(
        {"probe_duration_seconds", {{"phase", "resolve"}}, Seconds(connected.resolve_time)});
    answer.samples.push_back(
        {"probe_duration_seconds", {{"phase", "connect"}}, Seconds(connected.connect_time)});
    co_return answer;
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  HostPort target_;
  World& world_;
};

}  // namespace

std::unique_ptr<Sensor> MakeTcpSensor(YamlMap& config, World& world) {
  return std::make_unique<TcpSensor>(ReadTarget(config, "target"), world);
}

}  // namespace oppetid::agent
