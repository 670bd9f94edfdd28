#include "collector/cli/client.h"

#include <pwd.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/support/http_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

// The command line's client against the collector's server.
class ClientTest : public HttpFixture {
 protected:
  // Tells what it was asked, and by whom.
  static void Echo(const HttpRequest& request, const HttpDone& done) {
    HttpResponse response;
    response.status = request.path == "/refused" ? 409 : request.path == "/none" ? 404 : 200;
    response.body = request.method + " " + request.path + " " + request.bearer + " " +
                    (request.admin ? request.user : "-") + " " + request.body;
    done(std::move(response));
  }
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = directory_.path() + "/" + name;
    EXPECT_TRUE(ReplaceFile(path, content).ok());
    return path;
  }
  CollectorAddress Https(const std::string& ca) {
    CollectorAddress address;
    address.url = "https://127.0.0.1:" + std::to_string(port());
    address.token_file = Write("token", "t-1.00\n");
    address.ca_file = Write("ca.pem", ca);
    return address;
  }
};

TEST_F(ClientTest, TheSocketTellsWhoAsks) {
  Start(Echo);
  CollectorAddress address;
  address.socket = socket();
  const passwd* me = ::getpwuid(::geteuid());
  const std::string who =
      me != nullptr ? std::string(me->pw_name) : "uid " + std::to_string(::geteuid());
  const auto body = Fetch(address, "POST", "/x", "a body\nof two lines");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(*body, "POST /x  " + who + " a body\nof two lines");
  const auto refused = Fetch(address, "GET", "/refused");
  EXPECT_THAT(refused.status().message(), HasSubstr("(HTTP 409)"));
}

TEST_F(ClientTest, ATokenGoesOverTlsThatIsVerified) {
  const TestCa ca, other("Other root");
  const TestCertificate certificate = ca.Issue();
  Start(Echo, &certificate);
  const auto body = Fetch(Https(ca.certificate()), "GET", "/x");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(*body, "GET /x t-1.00 - ");
  EXPECT_THAT(Fetch(Https(other.certificate()), "GET", "/x").status().message(),
              HasSubstr("no TLS with"));
  EXPECT_THAT(Fetch(Https(ca.certificate()), "GET", "/none").status().message(),
              HasSubstr("through admin.sock on the collector's machine"));
  CollectorAddress plain;
  plain.url = "http://127.0.0.1:" + std::to_string(port());
  EXPECT_FALSE(Fetch(plain, "GET", "/x").ok());
}

TEST_F(ClientTest, RefusesACertificateOfAnotherName) {
  const TestCa ca;
  CertificateWish wish;
  wish.names = {"DNS:elsewhere.example"};
  const TestCertificate certificate = ca.Issue(wish);
  Start(Echo, &certificate);
  EXPECT_THAT(Fetch(Https(ca.certificate()), "GET", "/x").status().message(),
              HasSubstr("certificate verify failed"));
}

TEST_F(ClientTest, ANewCertificateServesTheNextConnection) {
  const TestCa ca, next("Next root");
  const TestCertificate first = ca.Issue(), second = next.Issue();
  Start(Echo, &first);
  OnLoop([&] { EXPECT_TRUE(server_->SetTls(second.certificate, second.key).ok()); });
  EXPECT_TRUE(Fetch(Https(next.certificate()), "GET", "/x").ok());
  OnLoop([&] { EXPECT_FALSE(server_->SetTls(second.certificate, first.key).ok()); });
  EXPECT_TRUE(Fetch(Https(next.certificate()), "GET", "/x").ok()) << "a misfit changes nothing";
}

TEST_F(ClientTest, ATokenFileThatOthersMayReadIsRefused) {
  const TestCa ca;
  const TestCertificate certificate = ca.Issue();
  Start(Echo, &certificate);
  const CollectorAddress address = Https(ca.certificate());
  ASSERT_TRUE(ReplaceFile(address.token_file, "t-1.00\n", 0644).ok());
  EXPECT_FALSE(Fetch(address, "GET", "/x").ok());
}

TEST(Behalf, GoesAfterTheQuery) {
  EXPECT_EQ(WithBehalf("/x", ""), "/x");
  EXPECT_EQ(WithBehalf("/x", "Kari N&"), "/x?on_behalf_of=Kari%20N%26");
  EXPECT_EQ(WithBehalf("/x?a=1", "Kari"), "/x?a=1&on_behalf_of=Kari");
}

}  // namespace
}  // namespace oppetid::collector
