#include <boost/asio/ip/tcp.hpp>

#include "agent/sensors/net.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using testing::ElementsAre;
using testing::HasSubstr;

class TcpTest : public SensorFixture {};

TEST_F(TcpTest, OkWhenTheConnectionOpens) {
  tcp::acceptor acceptor(io_, {boost::asio::ip::address_v4::loopback(), 0});
  const Answer answer =
      Ask("{sensor: tcp, target: '127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) +
          "'}");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_GT(Value(answer, "probe_duration_seconds", {{"phase", "connect"}}), 0.0);
}

TEST_F(TcpTest, CriticalWhenRefused) {
  const uint16_t closed_port = FreePort<tcp>();
  const Answer answer =
      Ask("{sensor: tcp, target: '127.0.0.1:" + std::to_string(closed_port) + "'}");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("Connection refused"));
}

TEST_F(TcpTest, UnknownWhenTheNameDoesNotResolve) {
  const Answer answer = Ask("{sensor: tcp, target: 'no-such-host.invalid:22'}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("cannot resolve"));
}

TEST_F(TcpTest, OddTargetsAreFaults) {
  EXPECT_THAT(FaultsOf("{sensor: tcp, target: 'nohost'}"), ElementsAre(HasSubstr("host:port")));
  EXPECT_THAT(FaultsOf("{sensor: tcp, target: 'a:70000'}"), ElementsAre(HasSubstr("host:port")));
  EXPECT_THAT(FaultsOf("{sensor: tcp}"), ElementsAre(HasSubstr("`target` is missing")));
  EXPECT_THAT(FaultsOf("{sensor: tcp, target: 'a:1', prot: x}"),
              ElementsAre(HasSubstr("unknown key `prot`")));
}

TEST(ParseHostPort, ReadsNamesAndAddresses) {
  EXPECT_EQ(ParseHostPort("[::1]:22")->host, "::1");
  EXPECT_EQ(ParseHostPort("mail.example:25")->port, 25);
  EXPECT_FALSE(ParseHostPort("::1:22"));
  EXPECT_FALSE(ParseHostPort(":22"));
  EXPECT_FALSE(ParseHostPort("a:0"));
}

}  // namespace
}  // namespace oppetid::agent
