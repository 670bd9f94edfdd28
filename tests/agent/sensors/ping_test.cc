#include "agent/sensors/ping.h"

#include <cerrno>
#include <fstream>

#include "tests/support/cancel.h"
#include "tests/support/own_network.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSysctl = "sysctl net.ipv4.ping_group_range=\"0 2147483647\"";

class PingTest : public SensorFixture {
 protected:
  std::unique_ptr<Sensor> MakeWith(const std::string& yaml, OpenSocket open_socket) {
    Faults faults("test.yaml");
    const Yaml root = ParseYaml(yaml, faults);
    YamlMap map(root, faults);
    auto sensor = MakePingSensorWith(map, world_, std::move(open_socket));
    map.Finish();
    EXPECT_THAT(faults.lines(), testing::IsEmpty());
    return sensor;
  }
};

// The same, to be used in a forked child.
class Asker : public PingTest {
 public:
  void TestBody() override {}
  using PingTest::Ask;
  using PingTest::io_;
  using PingTest::MakeWith;
  using PingTest::Value;
};

// Runs `body` in a child with a network of its own. Where the system allows no such thing, pings
// loopback as we are, and expects what our rights give: an answer, or the way to get one.
void InOwnNetwork(void (*body)(Asker&)) {
  const bool ran = RunInOwnNetwork([body] {
    Asker asker;
    body(asker);
  });
  if (ran) return;
  Asker asker;
  const int datagram = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
  const int raw = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  const Answer answer = asker.Ask(*asker.MakeWith("{target: 127.0.0.1}", Refusing({})));
  if (datagram >= 0 || raw >= 0) {
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
  } else {
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr(kSysctl));
  }
  ::close(datagram);
  ::close(raw);
}

void ExpectAllAnswered(const Answer& answer) {
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("0 of 2 lost"));
  EXPECT_EQ(Asker::Value(answer, "ping_loss_ratio"), 0.0);
  EXPECT_GT(Asker::Value(answer, "ping_rtt_seconds"), 0.0);
}

constexpr const char* kLoopback4 = "{target: 127.0.0.1, count: 2, interval: 10ms}";
constexpr const char* kLoopback6 = "{target: '::1', count: 2, interval: 10ms}";

// A kernel may be without IPv6; then there is nothing to ping and the answer says so.
void ExpectLoopback6(const Answer& answer) {
  if (std::ifstream("/proc/net/if_inet6").peek() != std::ifstream::traits_type::eof()) {
    ExpectAllAnswered(answer);
  } else {
    EXPECT_NE(answer.state, State::kOk) << answer.text;
  }
}

TEST(PingLoopback, AnswersOverADatagramSocket) {
  InOwnNetwork([](Asker& asker) {
    ExpectAllAnswered(asker.Ask(*asker.MakeWith(kLoopback4, Refusing({SOCK_RAW}))));
    ExpectLoopback6(asker.Ask(*asker.MakeWith(kLoopback6, Refusing({SOCK_RAW}))));
  });
}

TEST(PingLoopback, EndsWithTheLastAnswer) {
  InOwnNetwork([](Asker& asker) {
    const auto start = std::chrono::steady_clock::now();
    ExpectAllAnswered(asker.Ask(*asker.MakeWith(
        "{target: 127.0.0.1, count: 2, interval: 10ms, patience: 10s}", Refusing({}))));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  });
}

TEST(PingLoopback, AnswersOverARawSocket) {
  InOwnNetwork([](Asker& asker) {
    ExpectAllAnswered(asker.Ask(*asker.MakeWith(kLoopback4, Refusing({SOCK_DGRAM}))));
    ExpectLoopback6(asker.Ask(*asker.MakeWith(kLoopback6, Refusing({SOCK_DGRAM}))));
  });
}

TEST(PingLoopback, CriticalWhenAllAreLost) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    for (const int refused : {SOCK_RAW, SOCK_DGRAM}) {
      const Answer answer = asker.Ask(*asker.MakeWith(
          "{target: 127.0.0.1, count: 2, interval: 10ms, patience: 50ms}", Refusing({refused})));
      EXPECT_EQ(answer.state, State::kCritical);
      EXPECT_THAT(answer.text, HasSubstr("2 of 2 lost"));
      EXPECT_EQ(Asker::Value(answer, "ping_loss_ratio"), 1.0);
      EXPECT_EQ(Asker::Value(answer, "ping_rtt_seconds"), std::nullopt);
    }
  });
}

TEST(PingLoopback, CriticalWithoutARoute) {
  InOwnNetwork([](Asker& asker) {
    const Answer answer = asker.Ask(*asker.MakeWith("{target: 192.0.2.1}", Refusing({})));
    EXPECT_EQ(answer.state, State::kCritical);
    EXPECT_THAT(answer.text, HasSubstr("unreachable"));
    EXPECT_EQ(Asker::Value(answer, "ping_loss_ratio"), 1.0);
  });
}

TEST(PingLoopback, EndsWhenCancelled) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    int opened = 0;
    const OpenSocket open_socket = [&opened](int family, int type, int protocol) {
      ++opened;
      return ::socket(family, type, protocol);
    };
    auto sensor = asker.MakeWith("{target: 127.0.0.1, patience: 30s}", open_socket);
    ExpectEndsWhenCancelled(asker.io_, *sensor, [&opened] { return opened == 1; });
    EXPECT_EQ(sensor->StateWhenLate(), State::kCritical);
  });
}

TEST(PingLoopback, CountsOnlyItsOwnAnswersAndEachOnce) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    const Responder::Forge forge = [](const Responder::Packet& reply, int sequence) {
      auto other_id = reply, other_nonce = reply, other_sequence = reply, cut = reply, code = reply;
      other_id[4] ^= 1;
      other_nonce[8] ^= 1;
      other_sequence[6] = 9;
      code[1] = 1;
      cut.resize(10);
      std::vector<Responder::Packet> packets = {other_id, other_nonce, other_sequence, cut, code};
      if (sequence == 1) packets.insert(packets.end(), {reply, reply});
      return packets;
    };
    const Responder responder(asker.io_, forge);
    const std::string config =
        "{target: 127.0.0.1, count: 4, interval: 20ms, patience: 100ms, warning: {loss: 75 %}}";
    const Answer answer = asker.Ask(*asker.MakeWith(config, Refusing({SOCK_DGRAM})));
    EXPECT_EQ(answer.state, State::kWarning) << answer.text;
    EXPECT_THAT(answer.text, HasSubstr("3 of 4 lost"));
    EXPECT_EQ(Asker::Value(answer, "ping_loss_ratio"), 0.75);
    const std::string strict =
        "{target: 127.0.0.1, count: 4, interval: 20ms, patience: 100ms, critical: {loss: 75 %}}";
    EXPECT_EQ(asker.Ask(*asker.MakeWith(strict, Refusing({SOCK_DGRAM}))).state, State::kCritical);
  });
}

TEST(PingLoopback, SlowAnswersWarn) {
  InOwnNetwork([](Asker& asker) {
    ASSERT_TRUE(WriteTo("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1"));
    // The answer to the first request comes with the second, at least 30 ms later.
    auto held = std::make_shared<Responder::Packet>();
    const Responder::Forge forge = [held](const Responder::Packet& reply, int sequence) {
      if (sequence == 1) return std::vector<Responder::Packet>{*held};
      *held = reply;
      return std::vector<Responder::Packet>{};
    };
    const Responder responder(asker.io_, forge);
    const std::string slow = "{target: 127.0.0.1, count: 2, interval: 30ms, patience: 100ms, ";
    EXPECT_EQ(asker.Ask(*asker.MakeWith(slow + "warning: {rtt: 29ms}}", Refusing({}))).state,
              State::kWarning);
    EXPECT_EQ(asker.Ask(*asker.MakeWith(slow + "critical: {rtt: 29ms}}", Refusing({}))).state,
              State::kCritical);
    EXPECT_EQ(asker.Ask(*asker.MakeWith(slow + "warning: {rtt: 1m}}", Refusing({}))).state,
              State::kOk);
  });
}

TEST_F(PingTest, UnknownWhenTheSystemRefusesBothSockets) {
  for (const char* config : {kLoopback4, kLoopback6}) {
    const Answer answer = Ask(*MakeWith(config, Refusing({SOCK_DGRAM, SOCK_RAW})));
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr(kSysctl));
    EXPECT_THAT(answer.samples, testing::IsEmpty());
  }
}

TEST_F(PingTest, UnknownWhenThereAreNoSockets) {
  const OpenSocket none = [](int, int, int) {
    errno = EMFILE;
    return -1;
  };
  const Answer answer = Ask(*MakeWith(kLoopback4, none));
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("Too many open files"));
}

TEST_F(PingTest, UnknownWhenTheNameDoesNotResolve) {
  const Answer answer = Ask("{sensor: ping, target: no-such-host.invalid}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("cannot resolve"));
}

TEST_F(PingTest, OddConfigurationIsAFault) {
  const auto faults = [this](const std::string& more) {
    return FaultsOf("{sensor: ping, " + more + "}");
  };
  EXPECT_THAT(faults("count: 3"), ElementsAre(HasSubstr("`target` is missing")));
  EXPECT_THAT(faults("target: a, count: 0"), ElementsAre(HasSubstr("`count`")));
  EXPECT_THAT(faults("target: a, interval: 1ms"), ElementsAre(HasSubstr("`interval`")));
  EXPECT_THAT(faults("target: a, warning: {loss: 0 %}"), ElementsAre(HasSubstr("always reached")));
  EXPECT_THAT(faults("target: a, critical: {los: 10 %}"),
              ElementsAre(HasSubstr("did you mean `loss`")));
}

TEST(ParseEchoReply, ReadsBothSocketsAndBothProtocols) {
  const std::vector<uint8_t> echo4 = {0, 0, 1, 2, 0x12, 0x34, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0};
  const auto reply = ParseEchoReply(echo4, false, EchoSocket::kDatagram);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->id, 0x1234);
  EXPECT_EQ(reply->sequence, 7);
  EXPECT_NE(reply->nonce, 0u);
  auto echo6 = echo4;
  echo6[0] = 129;
  EXPECT_TRUE(ParseEchoReply(echo6, true, EchoSocket::kRaw));
  EXPECT_FALSE(ParseEchoReply(echo6, false, EchoSocket::kDatagram));
  EXPECT_FALSE(ParseEchoReply(echo4, true, EchoSocket::kDatagram));
  std::vector<uint8_t> raw(24, 0);
  raw[0] = 0x46;  // a header with options, 24 bytes
  raw.insert(raw.end(), echo4.begin(), echo4.end());
  EXPECT_EQ(ParseEchoReply(raw, false, EchoSocket::kRaw)->sequence, 7);
  for (size_t size = 0; size < raw.size(); ++size) {
    EXPECT_FALSE(ParseEchoReply(std::span(raw).first(size), false, EchoSocket::kRaw));
  }
  raw[0] = 0x44;  // a header shorter than any
  EXPECT_FALSE(ParseEchoReply(raw, false, EchoSocket::kRaw));
}

}  // namespace
}  // namespace oppetid::agent
