#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/sensors/http_exchange.h"
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
using testing::Not;
using testing::SizeIs;

class HttpTest : public SensorFixture {
 protected:
  static Part Reply(const std::string& bytes) { return {bytes, "", false}; }

  // Asks a plain server that answers every request with `part`.
  Answer AskPlain(const Part& part, const std::string& more = "") {
    const LoopbackServer server(io_, [part](const std::string&) { return part; });
    const Answer answer = Ask(Config("http://" + server.address() + "/", more));
    requests_ = server.requests();
    return answer;
  }

  Answer AskTls(const TestCertificate& identity, const std::string& more) {
    const LoopbackServer server(
        io_, [](const std::string&) { return Reply(HttpReply(200, "hello")); }, identity);
    const Answer answer = Ask(Config("https://" + server.address() + "/", more));
    requests_ = server.requests();
    names_ = server.server_names();
    return answer;
  }

  static std::string Config(const std::string& url, const std::string& more) {
    return "{sensor: http, url: '" + url + "'" + (more.empty() ? "" : ", " + more) + "}";
  }

  std::string Write(const std::string& name, const std::string& text, int mode = 0600) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return path;
  }

  std::string Trust() { return "ca: '" + Write("ca.pem", ca_.certificate()) + "'"; }

  TempDir directory_;
  TestCa ca_;
  std::vector<std::string> requests_;
  std::vector<std::string> names_;
};

TEST_F(HttpTest, OkWithEveryPhaseTimed) {
  const Answer answer = AskPlain(Reply(HttpReply(200, "hello")));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, AllOf(HasSubstr("HTTP 200 in "), HasSubstr(" ms")));
  EXPECT_EQ(Value(answer, "http_status_code"), 200.0);
  for (const char* phase : {"resolve", "connect", "first_byte", "transfer"}) {
    EXPECT_TRUE(Value(answer, "probe_duration_seconds", {{"phase", phase}})) << phase;
  }
  EXPECT_FALSE(Value(answer, "probe_duration_seconds", {{"phase", "tls"}}));
  EXPECT_FALSE(Value(answer, "certificate_expiry_timestamp_seconds"));
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_THAT(requests_[0], HasSubstr("GET / HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(HttpTest, StatusDecides) {
  const auto state = [this](int status, const std::string& more) {
    return AskPlain(Reply(HttpReply(status, "")), more).state;
  };
  EXPECT_EQ(state(200, ""), State::kOk);
  EXPECT_EQ(state(304, ""), State::kOk);
  EXPECT_EQ(state(404, ""), State::kCritical);
  EXPECT_EQ(state(503, ""), State::kCritical);
  EXPECT_EQ(state(404, "status: [200, 404]"), State::kOk);
  EXPECT_EQ(state(200, "status: 404"), State::kCritical);
  EXPECT_EQ(state(299, "status: [2xx]"), State::kOk);
  EXPECT_EQ(state(401, "status: [200-299, 401-403]"), State::kOk);
  EXPECT_EQ(state(404, "status: [200-299, 401-403]"), State::kCritical);
  const Answer wrong = AskPlain(Reply(HttpReply(503, "secret")));
  EXPECT_THAT(wrong.text, AllOf(HasSubstr("HTTP 503"), Not(HasSubstr("secret"))));
  EXPECT_EQ(Value(wrong, "http_status_code"), 503.0);
}

TEST_F(HttpTest, BodyMustMatch) {
  const Part page = Reply(HttpReply(200, "<h1>Velkommen, K\xc3\xa5re</h1>"));
  EXPECT_EQ(AskPlain(page, "body: Velkommen").state, State::kOk);
  EXPECT_EQ(AskPlain(page, "body: 'K.re</h\\d>$'").state, State::kOk);
  const Answer other = AskPlain(page, "body: Farvel");
  EXPECT_EQ(other.state, State::kCritical);
  EXPECT_THAT(other.text, AllOf(HasSubstr("body does not match"), Not(HasSubstr("Farvel")),
                                Not(HasSubstr("Velkommen"))));
}

TEST_F(HttpTest, ReadsChunksAndBodiesThatEndWithTheConnection) {
  EXPECT_EQ(AskPlain(Reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "4\r\nVelk\r\n5;x=y\r\nommen\r\n0\r\nTrailer: x\r\n\r\n"),
                     "body: Velkommen")
                .state,
            State::kOk);
  EXPECT_EQ(AskPlain(Reply("HTTP/1.0 200 OK\r\n\r\nVelkommen"), "body: Velkommen$").state,
            State::kOk);
  EXPECT_EQ(AskPlain(Reply("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
                           HttpReply(200, "Velkommen")),
                     "body: Velkommen")
                .state,
            State::kOk);
}

TEST_F(HttpTest, HeadHasNoBody) {
  const Answer answer =
      AskPlain(Reply("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), "method: HEAD");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(requests_[0], HasSubstr("HEAD / "));
}

TEST_F(HttpTest, AnEndlessBodyIsReadUpToTheLimit) {
  const std::string chunk(10'000, 'x');
  const Part raw{"HTTP/1.0 200 OK\r\n\r\n", chunk, false};
  EXPECT_EQ(AskPlain(raw).state, State::kOk);
  const Part chunked{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                     "2710\r\n" + chunk + "\r\n", false};
  EXPECT_EQ(AskPlain(chunked).state, State::kOk);
  EXPECT_EQ(AskPlain(chunked, "body: y").state, State::kCritical);
}

TEST_F(HttpTest, CriticalWhenTheServerMisbehaves) {
  const auto text = [this](const Part& part) {
    const Answer answer = AskPlain(part);
    EXPECT_EQ(answer.state, State::kCritical) << answer.text;
    return answer.text;
  };
  EXPECT_THAT(text(Reply("SSH-2.0-OpenSSH_9.2\r\n")), HasSubstr("no valid HTTP response"));
  EXPECT_THAT(text(Reply("")), HasSubstr("no valid HTTP response"));
  EXPECT_THAT(text(Reply(std::string("\0\xff\x16\x03", 4))), HasSubstr("no valid HTTP response"));
  EXPECT_THAT(text({"HTTP/1.1 200 OK\r\n", "X-Pad: 0123456789\r\n", false}),
              HasSubstr("header limit"));
  EXPECT_THAT(text({"HTTP/1.1 200 OK\r\nX: ", "0123456789", false}),
              HasSubstr("no valid HTTP response"));
  EXPECT_THAT(text({"", "HTTP/1.1 100 Continue\r\n\r\n", false}), HasSubstr("HTTP 100"));
  EXPECT_THAT(text(Reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")),
              HasSubstr("breaks off"));
  EXPECT_THAT(text(Reply("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")),
              HasSubstr("no valid HTTP response"));
  EXPECT_THAT(text(Reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")),
              HasSubstr("breaks off"));
  const Part trailers{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                      "X-Pad: 0123456789\r\n", false};
  EXPECT_THAT(text(trailers), HasSubstr("breaks off"));
}

TEST_F(HttpTest, CriticalWhenRefusedAndUnknownWithoutAName) {
  const uint16_t closed_port = FreePort<boost::asio::ip::tcp>();
  const Answer refused = Ask(Config("http://127.0.0.1:" + std::to_string(closed_port), ""));
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("refused"));
  const Answer unknown = Ask(Config("http://no-such-host.invalid/", ""));
  EXPECT_EQ(unknown.state, State::kUnknown);
}

TEST_F(HttpTest, EndsWhenCancelled) {
  const std::vector<Part> parts = {{"", "", true},
                                   {"HTTP/1.1 200 OK\r\nX: ", "", true},
                                   {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "", true}};
  for (const bool tls : {false, true}) {
    for (const Part& part : parts) {
      const LoopbackServer server(
          io_, [part](const std::string&) { return part; },
          tls ? std::optional(ca_.Issue()) : std::nullopt);
      const std::string scheme = tls ? "https://" : "http://";
      const auto sensor = Make(Config(scheme + server.address(), Trust()));
      ExpectEndsWhenCancelled(io_, *sensor, [&server] { return server.requests().size() == 1; });
      EXPECT_EQ(sensor->StateWhenLate(), State::kCritical);
    }
  }
}

TEST_F(HttpTest, HttpsWithATrustedCertificate) {
  const Answer answer = AskTls(ca_.Issue({{"DNS:portal.example"}, hours(-1), hours(24 * 90)}),
                               Trust() + ", server_name: portal.example");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_TRUE(Value(answer, "probe_duration_seconds", {{"phase", "tls"}}));
  EXPECT_GT(Value(answer, "certificate_expiry_timestamp_seconds"), 1.0e9);
  EXPECT_THAT(names_, ElementsAre("portal.example"));
}

TEST_F(HttpTest, CriticalWithABadCertificateAndNothingIsSent) {
  const auto text = [this](const TestCertificate& identity) {
    const Answer answer = AskTls(identity, Trust());
    EXPECT_EQ(answer.state, State::kCritical);
    EXPECT_THAT(requests_, SizeIs(0));
    EXPECT_TRUE(Value(answer, "certificate_expiry_timestamp_seconds"));
    return answer.text;
  };
  EXPECT_THAT(text(SelfSigned()), HasSubstr("self-signed"));
  EXPECT_THAT(text(TestCa("Foreign").Issue()), HasSubstr("not trusted"));
  EXPECT_THAT(text(ca_.Issue({{"IP:127.0.0.1"}, hours(-2), hours(-1)})), HasSubstr("expired"));
  EXPECT_THAT(text(ca_.Issue({{"DNS:x.example"}, hours(-2), hours(9)})), HasSubstr("not for 127"));
  TestCertificate forgetful = ca_.Intermediate("Middle").Issue();
  forgetful.certificate = LeafOnly(forgetful.certificate);
  EXPECT_THAT(text(forgetful), HasSubstr("intermediate"));
  EXPECT_EQ(AskTls(SelfSigned(), "verify: false").state, State::kOk);
}

TEST_F(HttpTest, UnknownWhenTheAuthoritiesCannotBeRead) {
  const Answer answer = AskTls(ca_.Issue(), "ca: /no/such/ca.pem");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("/no/such/ca.pem"));
  // What never speaks TLS needs none.
  EXPECT_EQ(AskPlain(Reply(HttpReply(200, "")), "ca: /no/such").state, State::kOk);
}

TEST_F(HttpTest, HeadersComeFromConfigurationAndFiles) {
  const std::string secret = Write("token", "Bearer s3cret\n");
  const std::string headers =
      "headers: {X-Probe: 'a b', Host: portal.example, Authorization: {file: '" + secret + "'}}";
  const Answer answer = AskPlain(Reply(HttpReply(401, "s3cret")), headers);
  EXPECT_THAT(requests_[0],
              AllOf(HasSubstr("\r\nX-Probe: a b\r\n"), HasSubstr("\r\nHost: portal.example\r\n"),
                    HasSubstr("\r\nAuthorization: Bearer s3cret\r\n")));
  EXPECT_THAT(answer.text, Not(HasSubstr("s3cret")));
  Write("token", "two\nlines s3cret\n");
  const Answer odd = AskPlain(Reply(HttpReply(200, "")), headers);
  EXPECT_EQ(odd.state, State::kUnknown);
  EXPECT_THAT(odd.text, AllOf(HasSubstr("one line"), Not(HasSubstr("s3cret"))));
  Write("token", "Bearer x", 0644);
  EXPECT_THAT(AskPlain(Reply(HttpReply(200, "")), headers).text, HasSubstr("chmod 600"));
  std::filesystem::remove(secret);
  EXPECT_EQ(AskPlain(Reply(HttpReply(200, "")), headers).state, State::kUnknown);
}

class RedirectTest : public HttpTest {
 protected:
  static std::string To(const std::string& location, int status = 302) {
    return HttpReply(status, "", "Location: " + location + "\r\n");
  }

  // A server whose path / leads to `location` and whose path /there says 200.
  static LoopbackServer::Play Leading(const std::string& location) {
    return [location](const std::string& request) {
      const bool there = request.starts_with("GET /there ");
      return Reply(there ? HttpReply(200, "Velkommen") : To(location));
    };
  }
};

TEST_F(RedirectTest, AreFollowedWithinTheOrigin) {
  for (const char* location : {"/there", "there", "./x/../there", "//HOST/there"}) {
    std::string here = location;
    LoopbackServer* self = nullptr;
    LoopbackServer server(io_, [&here, &self](const std::string& request) {
      std::string to = here;
      if (const size_t at = to.find("HOST"); at != std::string::npos) {
        to.replace(at, 4, self->address());
      }
      return Leading(to)(request);
    });
    self = &server;
    const Answer answer = Ask(Config("http://" + server.address() + "/", "body: Velkommen"));
    EXPECT_EQ(answer.state, State::kOk) << location << ": " << answer.text;
    EXPECT_EQ(Value(answer, "http_status_code"), 200.0);
    EXPECT_EQ(server.connections(), 2);
  }
}

TEST_F(RedirectTest, EndAtTheirNumber) {
  const LoopbackServer server(io_, [](const std::string&) { return Reply(To("/again")); });
  const std::string url = "http://" + server.address() + "/";
  const Answer endless = Ask(Config(url, ""));
  EXPECT_EQ(endless.state, State::kCritical);
  EXPECT_THAT(endless.text, HasSubstr("more than 5 times"));
  EXPECT_EQ(server.connections(), 6);
  const Answer unfollowed = Ask(Config(url, "redirects: 0"));
  EXPECT_EQ(unfollowed.state, State::kOk);
  EXPECT_EQ(Value(unfollowed, "http_status_code"), 302.0);
  EXPECT_EQ(Ask(Config(url, "status: [302]")).state, State::kOk);
}

TEST_F(RedirectTest, GoOnlyWhereTheConfigurationPoints) {
  const LoopbackServer other(io_,
                             [](const std::string&) { return Reply(HttpReply(200, "Velkommen")); });
  const LoopbackServer server(io_, Leading("http://" + other.address() + "/there"));
  const std::string url = "http://" + server.address() + "/";
  const Answer refused = Ask(Config(url, ""));
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, AllOf(HasSubstr("not in `redirect_to`"), Not(HasSubstr("there"))));
  EXPECT_EQ(other.connections(), 0);
  const Answer allowed =
      Ask(Config(url, "redirect_to: ['http://" + other.address() + "'], headers: {X-Probe: a}"));
  EXPECT_EQ(allowed.state, State::kOk) << allowed.text;
  EXPECT_THAT(server.requests()[1], HasSubstr("X-Probe"));
  EXPECT_THAT(other.requests()[0], Not(HasSubstr("X-Probe"))) << "headers stay at home";
  for (const char* odd :
       {"ftp://x/", "http://", "http://u:p@x/", "http://x:99999/", "javascript:x"}) {
    const LoopbackServer strange(io_, Leading(odd));
    EXPECT_EQ(Ask(Config("http://" + strange.address() + "/", "")).state, State::kCritical) << odd;
  }
}

TEST_F(HttpTest, OddConfigurationIsAFault) {
  const auto faults = [this](const std::string& more) {
    return FaultsOf("{sensor: http, " + more + "}");
  };
  const std::string url = "url: 'http://a/', ";
  EXPECT_THAT(faults("method: GET"), ElementsAre(HasSubstr("`url` is missing")));
  EXPECT_THAT(faults("url: 'ftp://a/'"), ElementsAre(HasSubstr("http://host/")));
  EXPECT_THAT(faults("url: 'http://u:s3cret@a/'"),
              ElementsAre(AllOf(HasSubstr("without user"), Not(HasSubstr("s3cret")))));
  EXPECT_THAT(faults(url + "method: POST"), ElementsAre(HasSubstr("`method`")));
  EXPECT_THAT(faults(url + "status: [2x]"), ElementsAre(HasSubstr("2xx")));
  EXPECT_THAT(faults(url + "status: [300-200]"), ElementsAre(HasSubstr("2xx")));
  EXPECT_THAT(faults(url + "body: '(x'"), ElementsAre(HasSubstr("RE2")));
  EXPECT_THAT(faults(url + "body: x, method: HEAD"), ElementsAre(HasSubstr("HEAD has none")));
  EXPECT_THAT(faults(url + "redirects: 100"), ElementsAre(HasSubstr("`redirects`")));
  EXPECT_THAT(faults(url + "redirect_to: [a]"), ElementsAre(HasSubstr("`redirect_to`")));
  EXPECT_THAT(faults(url + "headers: {Authorization: s3cret}"),
              ElementsAre(AllOf(HasSubstr("{file: /path}"), Not(HasSubstr("s3cret")))));
  EXPECT_THAT(faults(url + "headers: {Connection: close}"), ElementsAre(HasSubstr("itself")));
  EXPECT_THAT(faults(url + "headers: {'a b': c}"), ElementsAre(HasSubstr("no name of a header")));
  EXPECT_THAT(faults(url + "headers: {A: \"x\\r\\nB: y\"}"), ElementsAre(HasSubstr("one line")));
  EXPECT_THAT(faults(url + "headers: {A: {file: token}}"), ElementsAre(HasSubstr("absolute path")));
  EXPECT_THAT(faults(url + "headers: [a]"), ElementsAre(HasSubstr("expected a mapping")));
}

TEST(ParseUrl, ReadsAndRefuses) {
  const auto url = ParseUrl("https://Portal.Example:8443/a/b?c=d#e");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "portal.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/a/b?c=d");
  EXPECT_EQ(url->Authority(), "portal.example:8443");
  EXPECT_EQ(ParseUrl("http://a")->path, "/");
  EXPECT_EQ(ParseUrl("http://a?x=y")->path, "/?x=y");
  EXPECT_EQ(ParseUrl("http://a")->Authority(), "a");
  EXPECT_EQ(ParseUrl("http://[2001:db8::1]:81/")->Authority(), "[2001:db8::1]:81");
  EXPECT_EQ(ParseUrl("https://a:443/")->Authority(), "a");
  for (const char* odd : {"", "a", "//a", "ftp://a/", "http://", "http:///x", "http://a:0/",
                          "http://a:70000/", "http://a b/", "http://u@a/", "http://%41/"}) {
    EXPECT_FALSE(ParseUrl(odd)) << odd;
  }
}

}  // namespace
}  // namespace oppetid::agent
