// link: how is the line between a municipality and the server room? Loss, round trip time and
// jitter of a burst of echo requests to the other end.
//
// Where an agent runs at both ends each has its `link` to the other, with the other's name as
// `peer`: a line that is cut is told of by the end that still reaches the collector, and a line
// that loses only one way shows at both. The line of an SLA is the service that lists both checks.
#include "agent/sensors/link.h"

#include <algorithm>

#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

struct LinkLimits {
  EchoLimits echo;
  std::optional<Millis> jitter;
};

// Enough that one lost packet in an attempt is no news; done within two seconds.
constexpr int64_t kCount = 20;
constexpr Millis kInterval{50};

// What telephony and remote desktops bear, and what they do not.
const LinkLimits kWarning{{Percent{10'000'000}, Millis(150)}, Millis(30)};
const LinkLimits kCritical{{Percent{50'000'000}, std::nullopt}, std::nullopt};

bool Reaches(const LinkLimits& limits, const EchoResult& result) {
  const auto jitter = JitterOf(result);
  return Reaches(limits.echo, result) || (limits.jitter && jitter && *jitter >= *limits.jitter);
}

class LinkSensor : public Sensor {
 public:
  LinkSensor(EchoBurst burst, std::string peer, LinkLimits warning, LinkLimits critical,
             World& world, OpenSocket open_socket)
      : echo_(std::move(burst), world, std::move(open_socket)),
        peer_(std::move(peer)),
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
    answer.state = State::kOk;
    if (Reaches(warning_, result)) answer.state = State::kWarning;
    if (Reaches(critical_, result) || lost == count) answer.state = State::kCritical;
    const Labels peer{{"peer", peer_}};
    std::string text = std::to_string(lost) + " of " + std::to_string(count) + " lost";
    answer.samples.push_back(
        {"link_loss_ratio", peer, static_cast<double>(lost) / static_cast<double>(count)});
    if (const auto rtt = result.mean()) {
      text += ", round trip " + FormatMs(*rtt);
      answer.samples.push_back({"link_rtt_seconds", peer, Seconds(*rtt)});
    }
    if (const auto jitter = JitterOf(result)) {
      text += ", jitter " + FormatMs(*jitter);
      answer.samples.push_back({"link_jitter_seconds", peer, Seconds(*jitter)});
    }
    if (!result.fault.empty()) text += "; " + result.fault;
    answer.text = OneLine(text);
    return answer;
  }

  Echo echo_;
  std::string peer_;
  LinkLimits warning_;
  LinkLimits critical_;
};

LinkLimits ReadLimits(YamlMap& config, std::string_view key, LinkLimits limits) {
  if (auto map = config.Map(key)) {
    limits.echo = ReadEchoLimits(*map, limits.echo);
    if (const auto jitter = map->Duration("jitter", Millis(1), std::chrono::minutes(1))) {
      limits.jitter = jitter;
    }
    map->Finish();
  }
  return limits;
}

}  // namespace

std::optional<Steady::duration> JitterOf(const EchoResult& result) {
  Steady::duration sum{};
  int64_t pairs = 0;
  for (size_t i = 1; i < result.trips.size(); ++i) {
    if (!result.trips[i - 1] || !result.trips[i]) continue;
    const auto difference = *result.trips[i] - *result.trips[i - 1];
    sum += difference < Steady::duration::zero() ? -difference : difference;
    ++pairs;
  }
  if (pairs == 0) return std::nullopt;
  return sum / pairs;
}

std::unique_ptr<Sensor> MakeLinkSensorWith(YamlMap& config, World& world, OpenSocket open_socket) {
  EchoBurst burst = ReadEchoBurst(config, {"", kCount, kInterval, Millis(1000)});
  const std::string peer = config.RequiredString("peer");
  if (!peer.empty() && !IsId(peer)) {
    config.Fault("peer",
                 "`peer`: the other end's name, 1 to 63 of [a-z0-9.-], as a municipality's id");
  }
  const LinkLimits warning = ReadLimits(config, "warning", kWarning);
  const LinkLimits critical = ReadLimits(config, "critical", kCritical);
  return std::make_unique<LinkSensor>(std::move(burst), peer, warning, critical, world,
                                      std::move(open_socket));
}

std::unique_ptr<Sensor> MakeLinkSensor(YamlMap& config, World& world) {
  return MakeLinkSensorWith(config, world, SystemSocket());
}

}  // namespace oppetid::agent
