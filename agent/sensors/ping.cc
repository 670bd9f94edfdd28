// ping: does a host answer ICMP echo requests, how many of them, and how fast? Critical when all
// are lost, or at the configured loss or round trip time; unknown when the name does not resolve,
// or when the system gives us no socket for ICMP (echo.h).
#include "agent/sensors/ping.h"

#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

class PingSensor : public Sensor {
 public:
  PingSensor(EchoBurst burst, EchoLimits warning, EchoLimits critical, World& world,
             OpenSocket open_socket)
      : echo_(std::move(burst), world, std::move(open_socket)),
        warning_(warning),
        critical_(critical) {}

  boost::asio::awaitable<Answer> Ask() override {
    const EchoResult result = co_await echo_.Run();
    co_return Judge(result);
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  Answer Judge(const EchoResult& result) const {
    Answer answer;
    if (!result.could_not_ask.empty()) {
      answer.text = OneLine(result.could_not_ask);
      return answer;
    }
    const auto count = static_cast<int64_t>(result.trips.size());
    const int64_t lost = result.lost();
    const auto rtt = result.mean();
    answer.state = State::kOk;
    if (Reaches(warning_, result)) answer.state = State::kWarning;
    if (Reaches(critical_, result) || lost == count) answer.state = State::kCritical;
    std::string text = std::to_string(lost) + " of " + std::to_string(count) + " lost";
    if (rtt) text += ", round trip " + FormatMs(*rtt);
    if (!result.fault.empty()) text += "; " + result.fault;
    answer.text = OneLine(text);
    answer.samples.push_back(
        {"ping_loss_ratio", {}, static_cast<double>(lost) / static_cast<double>(count)});
    if (rtt) answer.samples.push_back({"ping_rtt_seconds", {}, Seconds(*rtt)});
    return answer;
  }

  Echo echo_;
  EchoLimits warning_;
  EchoLimits critical_;
};

EchoLimits ReadLimits(YamlMap& config, std::string_view key) {
  EchoLimits limits;
  if (auto map = config.Map(key)) {
    limits = ReadEchoLimits(*map, limits);
    map->Finish();
  }
  return limits;
}

}  // namespace

std::unique_ptr<Sensor> MakePingSensorWith(YamlMap& config, World& world, OpenSocket open_socket) {
  EchoBurst burst = ReadEchoBurst(config, {});
  const EchoLimits warning = ReadLimits(config, "warning");
  const EchoLimits critical = ReadLimits(config, "critical");
  return std::make_unique<PingSensor>(std::move(burst), warning, critical, world,
                                      std::move(open_socket));
}

std::unique_ptr<Sensor> MakePingSensor(YamlMap& config, World& world) {
  return MakePingSensorWith(config, world, SystemSocket());
}

}  // namespace oppetid::agent
