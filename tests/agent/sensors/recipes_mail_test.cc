// smtp.yaml and imap.yaml against msmtpd, and against a Dovecot that serves mailboxes and
// submission.
#include <grp.h>

#include <boost/asio/ip/tcp.hpp>

#include "tests/agent/sensors/recipe_fixture.h"
#include "tests/support/test_ca.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;
using std::chrono::hours;
using testing::HasSubstr;

class MailRecipesTest : public RecipeFixture {
 protected:
  MailRecipesTest() { trust_ = Write("ca.pem", ca_.certificate()); }

  // Dovecot with a certificate valid for so long from now.
  void StartDovecot(hours until) {
    dovecot_.reset();
    const std::vector<std::string> prefix = As("nobody");
    const std::string& path = directory_.path();
    const TestCertificate identity = ca_.Issue({.from = hours(-24 * 90), .until = until});
    Write("cert.pem", identity.certificate);
    Write("key.pem", identity.key);
    const passwd* user = ::geteuid() == 0 ? ::getpwnam("nobody") : ::getpwuid(::geteuid());
    ASSERT_NE(user, nullptr);
    const group* users = ::getgrgid(user->pw_gid);
    ASSERT_NE(users, nullptr);
    std::ostringstream config;
    config << "base_dir = " << path << "/run\nstate_dir = " << path << "/state\n"
           << "log_path = /dev/stderr\nprotocols = imap submission\nlisten = 127.0.0.1\n"
           << "default_internal_user = " << user->pw_name
           << "\ndefault_login_user = " << user->pw_name
           << "\ndefault_internal_group = " << users->gr_name << "\nssl = yes\nssl_cert = <" << path
           << "/cert.pem\nssl_key = <" << path << "/key.pem\nsubmission_relay_host = 127.0.0.1\n"
           << "passdb {\n  driver = static\n  args = nopassword=y\n}\n"
           << "service anvil {\n  chroot =\n}\n"
           << "service imap-login {\n  chroot =\n"
           << "  inet_listener imap {\n    port = " << port_ << "\n  }\n"
           << "  inet_listener imaps {\n    port = " << imaps_ << "\n  }\n}\n"
           << "service submission-login {\n  chroot =\n"
           << "  inet_listener submission {\n    port = " << submission_ << "\n  }\n}\n";
    std::vector<std::string> command = prefix;
    command.insert(command.end(),
                   {"/usr/sbin/dovecot", "-F", "-c", Write("dovecot.conf", config.str())});
    auto started = ChildProcess::Start(command);
    ASSERT_TRUE(started.ok());
    dovecot_ = std::move(*started);
  }

  std::unique_ptr<Sensor> Imap() {
    return FromRecipe("imap.yaml", "imap", {{"\"143\"", Quoted(port_)}});
  }
  std::unique_ptr<Sensor> Imaps() {
    return FromRecipe("imap.yaml", "imaps",
                      {{"mail.example", "127.0.0.1"}, {"\"993\"", Quoted(imaps_)}});
  }
  // Trusts the test's own authority in place of the system's.
  std::unique_ptr<Sensor> ImapsCertificate() {
    return FromRecipe(
        "imap.yaml", "imaps-certificate",
        {{"\"mail.example:993\"", "127.0.0.1:" + std::to_string(imaps_) + "\n    ca: " + trust_}});
  }
  std::unique_ptr<Sensor> Submission() {
    return FromRecipe("smtp.yaml", "submission",
                      {{"mail.example", "127.0.0.1"}, {"\"587\"", Quoted(submission_)}});
  }

  TestCa ca_;
  std::string trust_;
  uint16_t imaps_ = FreePort<tcp>();
  uint16_t submission_ = FreePort<tcp>();
  std::unique_ptr<ChildProcess> dovecot_;
};

TEST_F(MailRecipesTest, Smtp) {
  auto sensor = FromRecipe("smtp.yaml", "smtp", {{"\"25\"", Quoted(port_)}});
  const Answer refused = Ask(*sensor);
  EXPECT_EQ(refused.state, State::kCritical);
  EXPECT_THAT(refused.text, HasSubstr("refused"));
  auto server = ChildProcess::Start({"/usr/bin/msmtpd", "--port=" + std::to_string(port_)});
  ASSERT_TRUE(server.ok());
  const Answer answer = AskUntil(*sensor, State::kOk, "SMTP OK");
  EXPECT_TRUE(Value(answer, "plugin_value", {{"label", "time"}, {"unit", "seconds"}}));
}

TEST_F(MailRecipesTest, Imap) {
  auto imap = Imap();
  auto imaps = Imaps();
  EXPECT_THAT(Ask(*imap).text, HasSubstr("Connection refused"));
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 90)));
  const Answer plain = AskUntil(*imap, State::kOk, "IMAP OK");
  EXPECT_THAT(plain.text, HasSubstr("Dovecot"));
  EXPECT_TRUE(Value(plain, "plugin_value", {{"label", "time"}, {"unit", "seconds"}}));
  AskUntil(*imaps, State::kOk, "SIMAP OK");
  EXPECT_EQ(dovecot_->Stop(), 0) << dovecot_->LastLines();
  AskUntil(*imap, State::kCritical, "Connection refused");
  AskUntil(*imaps, State::kCritical, "Connection refused");
}

TEST_F(MailRecipesTest, AnotherServiceInPlaceOfMailboxesIsCritical) {
  auto server = ChildProcess::Start({"/usr/bin/msmtpd", "--port=" + std::to_string(port_)});
  ASSERT_TRUE(server.ok());
  AskUntil(*Imap(), State::kCritical, "Unexpected response from host/socket: 220");
}

TEST_F(MailRecipesTest, AMailboxServerThatAcceptsAndIsSilentIsCritical) {
  const tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  auto sensor =
      FromRecipe("imap.yaml", "imap",
                 {{"\"143\"", Quoted(silent.local_endpoint().port())}, {"-t, \"8\"", "-t, \"1\""}});
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("Socket timeout after 1 seconds"));
}

TEST_F(MailRecipesTest, TheCertificateOfMailboxesHasACheckOfItsOwn) {
  auto imaps = Imaps();
  auto certificate = ImapsCertificate();
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 90)));
  AskUntil(*certificate, State::kOk, "");
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 20)));
  AskUntil(*certificate, State::kWarning, "expires in");
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(-1)));
  AskUntil(*imaps, State::kOk, "SIMAP OK");  // the plugin does not look at it
  const Answer expired = Ask(*certificate);
  EXPECT_EQ(expired.state, State::kCritical);
  EXPECT_THAT(expired.text, HasSubstr("expired"));
}

TEST_F(MailRecipesTest, Submission) {
  auto sensor = Submission();
  EXPECT_THAT(Ask(*sensor).text, HasSubstr("Connection refused"));
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 90)));
  AskUntil(*sensor, State::kOk, "will expire on");
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 9 + 1)));
  AskUntil(*sensor, State::kWarning, "expires in 9 day(s)");
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(24 * 2 + 1)));
  AskUntil(*sensor, State::kCritical, "expires in 2 day(s)");
  ASSERT_NO_FATAL_FAILURE(StartDovecot(hours(-1)));
  AskUntil(*sensor, State::kCritical, "expired on");
  dovecot_->Stop();
  AskUntil(*sensor, State::kCritical, "Connection refused");
}

}  // namespace
}  // namespace oppetid::agent
