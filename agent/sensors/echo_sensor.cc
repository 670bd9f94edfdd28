#include "agent/sensors/echo_sensor.h"

#include "agent/sensors/net.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

class EchoSensor : public Sensor {
 public:
  EchoSensor(EchoCheck check, World& world, OpenSocket open_socket)
      : check_(std::move(check)), echo_(check_.burst, world, std::move(open_socket)) {}

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
    answer.state = State::kOk;
    if (Reaches(check_.warning, result)) answer.state = State::kWarning;
    if (Reaches(check_.critical, result) || lost == count) answer.state = State::kCritical;
    std::string text = std::to_string(lost) + " of " + std::to_string(count) + " lost";
    answer.samples.push_back({check_.loss_family, check_.labels,
                              static_cast<double>(lost) / static_cast<double>(count)});
    if (const auto rtt = result.mean()) {
      text += ", round trip " + FormatMs(*rtt);
      answer.samples.push_back({check_.rtt_family, check_.labels, Seconds(*rtt)});
    }
    if (const auto jitter = result.jitter(); jitter && check_.jitter_family != nullptr) {
      text += ", jitter " + FormatMs(*jitter);
      answer.samples.push_back({check_.jitter_family, check_.labels, Seconds(*jitter)});
    }
    if (!result.fault.empty()) text += "; " + result.fault;
    answer.text = OneLine(text);
    return answer;
  }

  EchoCheck check_;
  Echo echo_;
};

}  // namespace

std::unique_ptr<Sensor> MakeEchoSensor(EchoCheck check, World& world, OpenSocket open_socket) {
  return std::make_unique<EchoSensor>(std::move(check), world, std::move(open_socket));
}

}  // namespace oppetid::agent
