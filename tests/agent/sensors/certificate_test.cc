#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "tests/support/cancel.h"
#include "tests/support/free_port.h"
#include "tests/support/loopback_server.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace oppetid::agent {
namespace {

using std::chrono::hours;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class CertificateTest : public SensorFixture {
 protected:
  CertificateTest() { Write("ca.pem", ca_.certificate()); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  // Asks a server that shows `identity`.
  Answer AskServer(const TestCertificate& identity,
                   const std::string& more = "server_name: portal.example") {
    const LoopbackServer server(
        io_, [](const std::string&) { return Part{}; }, identity);
    const Answer answer = Ask(Config(server.address(), more));
    names_ = server.server_names();
    return answer;
  }

  std::string Config(const std::string& target, const std::string& more) const {
    return "{sensor: certificate, target: '" + target + "', ca: '" + directory_.path() +
           "/ca.pem', " + more + "}";
  }

  static CertificateWish Portal(hours until, hours from = hours(-24)) {
    return {{"DNS:portal.example"}, from, until};
  }

  // The sample of the expiry, in hours from now.
  static double HoursLeft(const Answer& answer) {
    const auto at = Value(answer, "certificate_expiry_timestamp_seconds");
    const auto now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
    return (at.value_or(0) - now.count()) / 3600;
  }

  TempDir directory_;
  TestCa ca_;
  std::vector<std::string> names_;
};

TEST_F(CertificateTest, OkWhileItHoldsLongEnough) {
  const Answer answer = AskServer(ca_.Issue(Portal(hours(24 * 60))));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, AllOf(HasSubstr("expires in 59 days")));
  EXPECT_NEAR(HoursLeft(answer), 24 * 60, 0.1);
  EXPECT_THAT(names_, ElementsAre("portal.example"));
  for (const char* phase : {"resolve", "connect", "tls"}) {
    EXPECT_TRUE(Value(answer, "probe_duration_seconds", {{"phase", phase}})) << phase;
  }
}

TEST_F(CertificateTest, WarnsBeforeItExpires) {
  EXPECT_EQ(AskServer(ca_.Issue(Portal(hours(24 * 29)))).state, State::kWarning);
  EXPECT_EQ(AskServer(ca_.Issue(Portal(hours(24 * 6)))).state, State::kCritical);
  EXPECT_EQ(AskServer(ca_.Issue(Portal(hours(24 * 6))),
                      "server_name: portal.example, warning: 5d, critical: 1d")
                .state,
            State::kOk);
}

TEST_F(CertificateTest, TheFirstExpiryInTheChainCounts) {
  CertificateWish short_lived;
  short_lived.until = hours(24 * 10);
  const TestCa intermediate = ca_.Intermediate("Short", short_lived);
  const Answer answer = AskServer(intermediate.Issue(Portal(hours(24 * 60))));
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("certificate 2 of the chain expires in 9 days"));
  EXPECT_NEAR(HoursLeft(answer), 24 * 10, 0.1);
}

TEST_F(CertificateTest, CriticalWhenExpiredOrNotYetValid) {
  const Answer expired = AskServer(ca_.Issue(Portal(hours(-1))));
  EXPECT_EQ(expired.state, State::kCritical);
  EXPECT_THAT(expired.text, HasSubstr("certificate expired at "));
  EXPECT_NEAR(HoursLeft(expired), -1, 0.1);
  const Answer early = AskServer(ca_.Issue(Portal(hours(24 * 60), hours(1))));
  EXPECT_EQ(early.state, State::kCritical);
  EXPECT_THAT(early.text, HasSubstr("not valid before "));
  const TestCa old = ca_.Intermediate("Old", {{}, hours(-48), hours(-1)});
  const Answer chain = AskServer(old.Issue(Portal(hours(24 * 60))));
  EXPECT_EQ(chain.state, State::kCritical);
  EXPECT_THAT(chain.text, HasSubstr("certificate 2 of the chain expired"));
}

TEST_F(CertificateTest, CriticalForAnotherName) {
  const Answer answer = AskServer(ca_.Issue(Portal(hours(24 * 60))), "server_name: other.example");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("not for other.example"));
  // Without a name the target's host counts, here an address, and no name is asked for.
  EXPECT_THAT(AskServer(ca_.Issue(Portal(hours(24 * 60))), "warning: 30d").text,
              HasSubstr("not for 127.0.0.1"));
  EXPECT_THAT(names_, ElementsAre(""));
  EXPECT_EQ(AskServer(ca_.Issue(), "warning: 30d").state, State::kOk);
  const TestCertificate wild = ca_.Issue({{"DNS:*.portal.example"}, hours(-24), hours(24 * 60)});
  EXPECT_EQ(AskServer(wild, "server_name: a.portal.example").state, State::kOk);
  EXPECT_EQ(AskServer(wild, "server_name: a.b.portal.example").state, State::kCritical);
}

TEST_F(CertificateTest, CriticalWhenUntrusted) {
  const Answer self = AskServer(SelfSigned(Portal(hours(24 * 60))));
  EXPECT_EQ(self.state, State::kCritical);
  EXPECT_THAT(self.text, AllOf(HasSubstr("not trusted"), HasSubstr("self-signed")));
  EXPECT_NEAR(HoursLeft(self), 24 * 60, 0.1) << "the date is told all the same";
  const Answer foreign = AskServer(TestCa("Foreign").Issue(Portal(hours(24 * 60))));
  EXPECT_EQ(foreign.state, State::kCritical);
  TestCertificate forgetful = ca_.Intermediate("Middle").Issue(Portal(hours(24 * 60)));
  EXPECT_EQ(AskServer(forgetful).state, State::kOk);
  forgetful.certificate = LeafOnly(forgetful.certificate);
  const Answer missing = AskServer(forgetful);
  EXPECT_EQ(missing.state, State::kCritical);
  EXPECT_THAT(missing.text, HasSubstr("does not send an intermediate"));
}

TEST_F(CertificateTest, ANewFileOfAuthoritiesIsReadAtOnce) {
  const TestCertificate identity = ca_.Issue(Portal(hours(24 * 60)));
  const LoopbackServer server(
      io_, [](const std::string&) { return Part{}; }, identity);
  const auto sensor = Make(Config(server.address(), "server_name: portal.example"));
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  ASSERT_TRUE(ReplaceFile(directory_.path() + "/ca.pem", TestCa("Another").certificate()).ok());
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
  ASSERT_TRUE(ReplaceFile(directory_.path() + "/ca.pem", ca_.certificate()).ok());
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  Write("ca.pem", "not a certificate");
  EXPECT_THAT(Ask(*sensor).text, HasSubstr("no certificate in PEM form"));
  std::filesystem::remove(directory_.path() + "/ca.pem");
  const Answer unreadable = Ask(*sensor);
  EXPECT_EQ(unreadable.state, State::kUnknown);
  EXPECT_THAT(unreadable.text, HasSubstr("No such file"));
}

TEST_F(CertificateTest, CriticalWhenTheServerSpeaksNoTls) {
  const LoopbackServer server(io_, [](const std::string&) { return Part{}; });
  const uint16_t closed_port = FreePort<boost::asio::ip::tcp>();
  const Answer refused = Ask(Config("127.0.0.1:" + std::to_string(closed_port), "warning: 30d"));
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("refused"));
  EXPECT_EQ(Ask(Config("no-such-host.invalid:1", "warning: 30d")).state, State::kUnknown);
  // A plain server waits for a request that never comes: silence ends by the runner's deadline.
  const auto sensor = Make(Config(server.address(), "warning: 30d"));
  ExpectEndsWhenCancelled(io_, *sensor, [&server] { return server.connections() == 1; });
  EXPECT_EQ(sensor->StateWhenLate(), State::kCritical);
}

TEST_F(CertificateTest, AFileIsJudgedLikeAServer) {
  const auto ask = [this](const std::string& pem, const std::string& more) {
    return Ask("{sensor: certificate, file: '" + Write("host.pem", pem) + "'" + more + "}");
  };
  const std::string trust = ", ca: '" + directory_.path() + "/ca.pem'";
  const std::string good = ca_.Intermediate("Middle").Issue(Portal(hours(24 * 60))).certificate;
  EXPECT_EQ(ask(good, "").state, State::kOk);
  EXPECT_EQ(ask(good, trust + ", server_name: portal.example").state, State::kOk);
  EXPECT_THAT(ask(LeafOnly(good), trust).text, HasSubstr("does not send an intermediate"));
  EXPECT_THAT(ask(good, ", server_name: other.example").text, HasSubstr("not for other.example"));
  EXPECT_EQ(ask(ca_.Issue(Portal(hours(24 * 6))).certificate, "").state, State::kCritical);
  EXPECT_THAT(ask(ca_.Issue(Portal(hours(-1))).certificate, "").text, HasSubstr("expired"));
  const Answer garbage = ask("garbage", "");
  EXPECT_EQ(garbage.state, State::kCritical);
  EXPECT_THAT(garbage.text, HasSubstr("no certificate"));
  const Answer missing = Ask("{sensor: certificate, file: /no/such/file.pem}");
  EXPECT_EQ(missing.state, State::kUnknown);
}

TEST_F(CertificateTest, OddConfigurationIsAFault) {
  EXPECT_THAT(FaultsOf("{sensor: certificate}"), ElementsAre(HasSubstr("`target` is missing")));
  EXPECT_THAT(FaultsOf("{sensor: certificate, file: a.pem}"),
              ElementsAre(HasSubstr("absolute path")));
  EXPECT_THAT(FaultsOf("{sensor: certificate, file: /a.pem, target: 'a:1'}"),
              ElementsAre(HasSubstr("not both")));
  EXPECT_THAT(FaultsOf("{sensor: certificate, target: 'a:1', warning: 1d}"),
              ElementsAre(HasSubstr("not be longer than `warning`")));
}

}  // namespace
}  // namespace oppetid::agent
