#include "agent/sensors/link.h"

#include <cerrno>

#include "tests/support/own_network.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const Labels kPeer{{"peer", "vennesla"}};

class LinkTest : public SensorFixture {
 protected:
  Answer AskWith(const std::string& yaml, OpenSocket open_socket) {
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    auto sensor = MakeLinkSensorWith(map, world_, std::move(open_socket));
    map.Finish();
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    return Ask(*sensor);
  }
};

class Asker : public LinkTest {
 public:
  void TestBody() override {}
  using LinkTest::Ask;
  using LinkTest::AskWith;
  using LinkTest::io_;
  using LinkTest::Value;
};

std::string Config(const std::string& more = "") {
  return "{target: 127.0.0.1, peer: vennesla, count: 10, interval: 10ms, patience: 100ms" + more +
         "}";
}

// Where the system allows no network of our own, the answer must at least say why not.
void InOwnNetwork(void (*body)(Asker&)) {
  const bool ran = RunInOwnNetwork([body] {
    Asker asker;
    body(asker);
  });
  if (ran) return;
  Asker asker;
  const Answer answer = asker.AskWith(Config(), Refusing({SOCK_DGRAM, SOCK_RAW}));
  EXPECT_EQ(answer.state, State::kUnknown);
}

EchoResult Trips(std::vector<int> trips_ms) {
  EchoResult result;
  for (const int trip : trips_ms) {
    if (trip < 0) {
      result.trips.emplace_back();
    } else {
      result.trips.emplace_back(milliseconds(trip));
    }
  }
  return result;
}

TEST(LinkJitter, IsTheMeanDifferenceBetweenNeighbours) {
  EXPECT_EQ(Trips({10, 10, 10}).jitter(), milliseconds(0));
  EXPECT_EQ(Trips({10, 20, 10}).jitter(), milliseconds(10));
  EXPECT_EQ(Trips({10, -1, 90}).jitter(), std::nullopt);
  EXPECT_EQ(Trips({10, -1, 90, 94}).jitter(), milliseconds(4));
  EXPECT_EQ(Trips({}).jitter(), std::nullopt);
}

TEST(LinkLoopback, AGoodLineIsMeasured) {
  InOwnNetwork([](Asker& asker) {
    const Answer answer = asker.AskWith(Config(), SystemSocket());
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
    EXPECT_THAT(answer.text, testing::StartsWith("0 of 10 lost, round trip "));
    EXPECT_THAT(answer.text, HasSubstr("jitter"));
    EXPECT_EQ(Asker::Value(answer, "link_loss_ratio", kPeer), 0.0);
    EXPECT_GT(Asker::Value(answer, "link_rtt_seconds", kPeer), 0.0);
    EXPECT_TRUE(Asker::Value(answer, "link_jitter_seconds", kPeer));
  });
}

TEST(LinkLoopback, ACutLineIsCritical) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    const Answer answer = asker.AskWith(Config(), SystemSocket());
    EXPECT_EQ(answer.state, State::kCritical);
    EXPECT_THAT(answer.text, HasSubstr("10 of 10 lost"));
    EXPECT_EQ(Asker::Value(answer, "link_loss_ratio", kPeer), 1.0);
    EXPECT_EQ(Asker::Value(answer, "link_rtt_seconds", kPeer), std::nullopt);
  });
}

TEST(LinkLoopback, APoorLineIsAWarningAndAWorseOneCritical) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    const auto answering = [](int upto) -> Responder::Forge {
      return [upto](const Responder::Packet& reply, int sequence) {
        if (sequence >= upto) return std::vector<Responder::Packet>{};
        return std::vector<Responder::Packet>{reply};
      };
    };
    {
      const Responder responder(asker.io_, answering(9));
      const Answer poor = asker.AskWith(Config(), SystemSocket());
      EXPECT_EQ(poor.state, State::kWarning) << poor.text;
      EXPECT_THAT(poor.text, HasSubstr("1 of 10 lost"));
      EXPECT_EQ(asker.AskWith(Config(", warning: {loss: 20 %}"), SystemSocket()).state, State::kOk);
    }
    const Responder responder(asker.io_, answering(5));
    EXPECT_EQ(asker.AskWith(Config(), SystemSocket()).state, State::kCritical);
  });
}

TEST(LinkLoopback, AJitteryLineIsAWarning) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    // Every other answer waits for the next request: 0 ms, then at least 40 ms, and so on.
    auto held = std::make_shared<Responder::Packet>();
    const Responder::Forge forge = [held](const Responder::Packet& reply, int sequence) {
      if (sequence % 2 == 1) return std::vector<Responder::Packet>{*held, reply};
      *held = reply;
      return std::vector<Responder::Packet>{};
    };
    const Responder responder(asker.io_, forge);
    const std::string slow =
        "{target: 127.0.0.1, peer: vennesla, count: 6, interval: 40ms, patience: 200ms";
    const Answer answer = asker.AskWith(slow + "}", SystemSocket());
    EXPECT_EQ(answer.state, State::kWarning) << answer.text;
    EXPECT_GT(Asker::Value(answer, "link_jitter_seconds", kPeer), 0.030);
    EXPECT_EQ(asker.AskWith(slow + ", warning: {jitter: 10s}}", SystemSocket()).state, State::kOk);
    EXPECT_EQ(asker.AskWith(slow + ", critical: {jitter: 30ms}}", SystemSocket()).state,
              State::kCritical);
  });
}

TEST_F(LinkTest, UnknownWhereNobodyCanAsk) {
  const Answer refused = AskWith(Config(), Refusing({SOCK_DGRAM, SOCK_RAW}));
  EXPECT_EQ(refused.state, State::kUnknown);
  EXPECT_TRUE(refused.samples.empty());
  EXPECT_EQ(Ask("{sensor: link, target: no-such-host.invalid, peer: a}").state, State::kUnknown);
}

TEST_F(LinkTest, FaultsSayWhatIsAllowed) {
  EXPECT_EQ(FaultsOf("{sensor: link}").size(), 2u);
  EXPECT_THAT(FaultsOf("{sensor: link, target: a, peer: 'A B'}").front(), HasSubstr("[a-z0-9.-]"));
  EXPECT_THAT(FaultsOf("{sensor: link, target: a, peer: b, warning: {loss: 0 %}}").front(),
              HasSubstr("always reached"));
}

}  // namespace
}  // namespace oppetid::agent
