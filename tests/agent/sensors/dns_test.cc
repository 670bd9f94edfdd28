#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include "tests/agent/sensors/dns_bytes.h"
#include "tests/support/cancel.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using testing::ElementsAre;
using testing::HasSubstr;

using Bytes = std::vector<uint8_t>;

// A canned reply that carries the question's identifier.
Bytes Reply(std::string_view hex, const Bytes& query) {
  Bytes reply = FromHex(hex);
  std::copy(query.begin(), query.begin() + 2, reply.begin());
  return reply;
}

// A name server on loopback that answers each datagram with what it is told to, and each TCP
// connection with `over_tcp`, written as it stands.
class NameServer {
 public:
  using Answers = std::function<std::vector<Bytes>(const Bytes& query)>;

  explicit NameServer(boost::asio::io_context& io) : udp_(io), tcp_(io), client_(io) {
    // A TCP port with the same number may be taken; then another pair is tried.
    boost::system::error_code taken;
    do {
      udp_ = udp::socket(udp_.get_executor(), udp::endpoint(loopback(), 0));
      tcp_ = tcp::acceptor(tcp_.get_executor());
      tcp_.open(tcp::v4());
      tcp_.bind(tcp::endpoint(loopback(), udp_.local_endpoint().port()), taken);
    } while (taken);
    tcp_.listen();
    Receive();
    Accept();
  }

  std::string Config(const std::string& more) const {
    return "{sensor: dns, server: '127.0.0.1:" + std::to_string(udp_.local_endpoint().port()) +
           "', " + more + "}";
  }

  Answers answers = [](const Bytes&) { return std::vector<Bytes>{}; };
  std::function<Bytes(const Bytes& query)> over_tcp = [](const Bytes&) { return Bytes{}; };
  int asked = 0;
  int connections = 0;

 private:
  static boost::asio::ip::address_v4 loopback() { return boost::asio::ip::address_v4::loopback(); }

  void Receive() {
    udp_.async_receive_from(
        boost::asio::buffer(buffer_), from_, [this](boost::system::error_code error, size_t size) {
          if (error) return;
          ++asked;
          const Bytes query(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(size));
          for (const Bytes& reply : answers(query)) udp_.send_to(boost::asio::buffer(reply), from_);
          Receive();
        });
  }

  void Accept() {
    tcp_.async_accept(client_, [this](boost::system::error_code error) {
      if (error) return;
      ++connections;
      client_.async_receive(
          boost::asio::buffer(buffer_), [this](boost::system::error_code failed, size_t size) {
            if (failed) return;
            const Bytes query(buffer_.begin() + 2, buffer_.begin() + static_cast<ptrdiff_t>(size));
            const Bytes reply = over_tcp(query);
            boost::system::error_code closed;
            boost::asio::write(client_, boost::asio::buffer(reply), closed);
            client_.close();
            Accept();
          });
    });
  }

  udp::socket udp_;
  tcp::acceptor tcp_;
  tcp::socket client_;
  udp::endpoint from_;
  std::array<uint8_t, 1024> buffer_{};
};

Bytes WithLength(Bytes message) {
  const auto size = message.size();
  message.insert(message.begin(), {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
  return message;
}

class DnsTest : public SensorFixture {
 protected:
  void Always(std::string_view hex) {
    server_.answers = [hex](const Bytes& query) { return std::vector<Bytes>{Reply(hex, query)}; };
  }
  Answer AskServer(const std::string& more) { return Ask(server_.Config(more)); }

  NameServer server_{io_};
};

TEST_F(DnsTest, OkWithAnyAnswerWhenNoneIsExpected) {
  Always(kReplyA);
  const Answer answer = AskServer("query: Example.org.");
  EXPECT_EQ(answer.state, State::kOk);
  EXPECT_THAT(answer.text, HasSubstr("example.org A"));
  EXPECT_GT(Value(answer, "probe_duration_seconds", {{"phase", "query"}}), 0.0);
  EXPECT_EQ(server_.connections, 0);
}

TEST_F(DnsTest, ExpectIsASet) {
  Always(kReplyMx);
  const std::string mx = "query: example.org, type: MX, ";
  EXPECT_EQ(AskServer(mx + "expect: [10 mail.example.org, 20 Mail2.example.org.]").state,
            State::kOk);
  const Answer less = AskServer(mx + "expect: [10 mail.example.org]");
  EXPECT_EQ(less.state, State::kCritical);
  EXPECT_THAT(less.text, HasSubstr("20 mail2.example.org"));
  EXPECT_EQ(AskServer(mx + "expect: [10 mail.example.org, 20 mail2.example.org, 30 x.org]").state,
            State::kCritical);
}

TEST_F(DnsTest, EveryTypeCanBeExpected) {
  const std::vector<std::tuple<std::string_view, std::string, std::string>> cases = {
      {kReplyCnameA, "www.example.org, type: A", "192.0.2.1"},
      {kReplyAaaa, "example.org, type: AAAA", "2001:DB8:0::1"},
      {kReplyNs, "example.org, type: NS", "ns1.example.org, ns2.example.net"},
      {kReplyTxt, "example.org, type: TXT", "v=spf1 -all"},
      {kReplySoa, "example.org, type: SOA",
       "ns1.example.org hostmaster.example.org 2026070101 7200 3600 1209600 300"},
      {kReplySrv, "_ldap._tcp.example.org, type: SRV", "0 100 389 dc1.example.org"},
      {kReplyPtr, "192.0.2.1, type: PTR", "www.example.org"},
  };
  for (const auto& [hex, question, expected] : cases) {
    Always(hex);
    const Answer answer = AskServer(
        "query: '" + question.substr(0, question.find(',')) + "'" +
        question.substr(question.find(',')) + ", expect: [" +
        (expected.find(':') == std::string::npos ? expected : "'" + expected + "'") + "]");
    EXPECT_EQ(answer.state, State::kOk) << question << ": " << answer.text;
  }
}

TEST_F(DnsTest, CriticalWhenTheServerSaysNo) {
  Always(kReplyNoSuchName);
  EXPECT_THAT(AskServer("query: nope.example.org").text, HasSubstr("NXDOMAIN"));
  Always(kReplyRefused);
  const Answer refused = AskServer("query: example.com");
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("REFUSED"));
  Always("123481020000000000000000");
  EXPECT_THAT(AskServer("query: example.com").text, HasSubstr("SERVFAIL"));
  Always("123485000001000000000000076578616d706c65036f72670000010001");
  EXPECT_THAT(AskServer("query: example.org").text, HasSubstr("no such record"));
}

TEST_F(DnsTest, PassesOverAnswersToOtherQuestions) {
  server_.answers = [](const Bytes& query) {
    Bytes wrong_id = Reply(kReplyA, query);
    wrong_id[0] ^= 1;
    return std::vector<Bytes>{wrong_id, Reply(kReplyMx, query), Bytes{1, 2, 3},
                              Bytes{},  Bytes(8000, 0xC0),      Reply(kReplyA, query)};
  };
  EXPECT_EQ(AskServer("query: example.org, expect: [192.0.2.1]").state, State::kOk);
}

TEST_F(DnsTest, CriticalAfterTooManyForgeries) {
  server_.answers = [](const Bytes&) { return std::vector<Bytes>(150, Bytes{1, 2, 3}); };
  const Answer answer = AskServer("query: example.org");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("other questions"));
}

TEST_F(DnsTest, AsksAgainWhenNothingComes) {
  server_.answers = [this](const Bytes& query) {
    return server_.asked < 2 ? std::vector<Bytes>{} : std::vector<Bytes>{Reply(kReplyA, query)};
  };
  EXPECT_EQ(AskServer("query: example.org").state, State::kOk);
  EXPECT_EQ(server_.asked, 2);
}

TEST_F(DnsTest, CriticalWhenNobodyAnswersOrListens) {
  const Answer silent = AskServer("query: example.org");
  EXPECT_EQ(silent.state, State::kCritical);
  EXPECT_THAT(silent.text, HasSubstr("no answer from the server"));
  EXPECT_EQ(server_.asked, 3);
  const uint16_t closed_port = FreePort<udp>();
  const Answer closed =
      Ask("{sensor: dns, query: a.b, server: '127.0.0.1:" + std::to_string(closed_port) + "'}");
  EXPECT_EQ(closed.state, State::kCritical);
  EXPECT_THAT(closed.text, HasSubstr("refused"));
}

TEST_F(DnsTest, AsksOverTcpWhenTheAnswerIsCutOff) {
  Always(kReplyTruncated);
  server_.over_tcp = [](const Bytes& query) { return WithLength(Reply(kReplyA, query)); };
  EXPECT_EQ(AskServer("query: example.org, expect: [192.0.2.1]").state, State::kOk);
  EXPECT_EQ(server_.connections, 1);
}

TEST_F(DnsTest, CriticalWhenTcpGivesNothingUseful) {
  Always(kReplyTruncated);
  EXPECT_THAT(AskServer("query: example.org").text, HasSubstr("over TCP End of file"));
  server_.over_tcp = [](const Bytes&) { return Bytes{0xFF, 0xFF, 1}; };
  EXPECT_THAT(AskServer("query: example.org").text, HasSubstr("over TCP End of file"));
  server_.over_tcp = [](const Bytes&) { return Bytes{0, 2, 1, 2}; };
  EXPECT_THAT(AskServer("query: example.org").text, HasSubstr("no answer over TCP"));
  server_.over_tcp = [](const Bytes& query) { return WithLength(Reply(kReplyMx, query)); };
  EXPECT_EQ(AskServer("query: example.org").state, State::kCritical);
}

TEST_F(DnsTest, EndsWhenCancelled) {
  auto sensor = Make(server_.Config("query: example.org"));
  ExpectEndsWhenCancelled(io_, *sensor, [this] { return server_.asked == 1; });
  EXPECT_EQ(sensor->StateWhenLate(), State::kCritical);
}

TEST_F(DnsTest, OddConfigurationIsAFault) {
  const auto faults = [this](const std::string& more) {
    return FaultsOf("{sensor: dns, " + more + "}");
  };
  EXPECT_THAT(faults("query: a.b"), ElementsAre(HasSubstr("`server` is missing")));
  EXPECT_THAT(faults("server: dns.example, query: a"), ElementsAre(HasSubstr("192.0.2.53:5353")));
  EXPECT_THAT(faults("server: 192.0.2.1, query: a..b"), ElementsAre(HasSubstr("`query`")));
  EXPECT_THAT(faults("server: 192.0.2.1, query: a, type: ANY"), ElementsAre(HasSubstr("`type`")));
  EXPECT_THAT(faults("server: 192.0.2.1, query: a, expect: [x]"),
              ElementsAre(HasSubstr("no answer of type A")));
  EXPECT_THAT(faults("server: 192.0.2.1, query: a, type: MX, expect: [mail.x]"),
              ElementsAre(HasSubstr("no answer of type MX")));
  EXPECT_THAT(faults("server: 192.0.2.1, query: a, expect: []"),
              ElementsAre(HasSubstr("leave it out")));
  EXPECT_THAT(faults("server: '[::1]:53', query: a, types: A"),
              ElementsAre(HasSubstr("did you mean `type`")));
}

}  // namespace
}  // namespace oppetid::agent
