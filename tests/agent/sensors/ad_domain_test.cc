// The drills: a real domain, logons and accounts of every kind, and what the sensor then says.
// tests/README.md tells the observations.
#include "tests/support/ad_domain.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include "tests/support/stalling_relay.h"

namespace oppetid::agent {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// --- Health -------------------------------------------------------------------------------------

TEST_F(AdDomainTest, AHealthyDomainWithAPassword) {
  const Answer answer = Ask(Config("service_accounts: [svc-backup]"));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_THAT(answer.text, StartsWith("2 controllers up, 10 links replicated "));
  for (const char* dc : {kDc1, kDc2}) {
    for (const char* probe : {"rootdse", "ldap_ping", "bind", "kerberos", "dns", "smb", "tls"}) {
      EXPECT_EQ(ProbeOk(answer, dc, probe), 1) << dc << " " << probe;
      EXPECT_GT(Value(answer, "ad_probe_duration_seconds", Probe(dc, probe)), 0.0);
    }
    EXPECT_EQ(Value(answer, "ad_dc_synchronized", Dc(dc)), 1.0);
    EXPECT_EQ(Value(answer, "ad_dc_global_catalog_ready", Dc(dc)), 1.0);
    EXPECT_EQ(Value(answer, "ad_kerberos_error_code", Dc(dc)), 25.0);
    EXPECT_EQ(Value(answer, "ad_dns_dsa_cname_ok", Dc(dc)), 1.0);
    EXPECT_EQ(Value(answer, "ad_gpo_version_mismatch", Dc(dc)), 0.0);
    EXPECT_EQ(Value(answer, "ad_dc_replication_disabled", Dc(dc)), 0.0);
    EXPECT_GT(Value(answer, "ad_dc_highest_committed_usn", Dc(dc)), 1000.0);
    EXPECT_EQ(Value(answer, "ad_replication_check_supported",
                    {{"dc", dc}, {"domain", "ad.test"}, {"method", "repsfrom"}}),
              1.0);
    for (const char* source : {"ldap", "kerberos"}) {
      const auto skew = Value(answer, "ad_dc_clock_skew_seconds",
                              {{"dc", dc}, {"domain", "ad.test"}, {"source", source}});
      ASSERT_TRUE(skew) << dc << " " << source;
      EXPECT_LT(std::abs(*skew), 5) << dc << " " << source;
    }
    for (const char* share : {"sysvol", "netlogon"}) {
      EXPECT_EQ(Value(answer, "ad_share_accessible",
                      {{"dc", dc}, {"domain", "ad.test"}, {"share", share}}),
                1.0);
    }
    EXPECT_EQ(Value(answer, "ad_tls_certificate_trusted",
                    {{"dc", dc}, {"domain", "ad.test"}, {"port", "636"}}),
              1.0);
    EXPECT_EQ(Value(answer, "ad_dns_srv_missing",
                    {{"dc", dc}, {"domain", "ad.test"}, {"record", "_ldap._tcp.dc._msdcs"}}),
              0.0);
  }
  EXPECT_LT(Value(answer, "ad_replication_last_success_age_seconds", Link(kDc1, kDc2)), 60.0);
  EXPECT_EQ(Value(answer, "ad_replication_last_result", Link(kDc2, kDc1)), 0.0);
  const Labels domain = {{"domain", "ad.test"}};
  EXPECT_EQ(Value(answer, "ad_dc_count", domain), 2.0);
  EXPECT_EQ(Value(answer, "ad_dc_expected", domain), 2.0);
  EXPECT_EQ(Value(answer, "ad_accounts_locked", domain), 0.0);
  EXPECT_EQ(Value(answer, "ad_tombstone_lifetime_days", domain), 180.0);
  EXPECT_GT(Value(answer, "ad_krbtgt_password_age_seconds", domain), 0.0);
  EXPECT_LT(Value(answer, "ad_rid_pool_used_ratio", domain), 0.01);
  EXPECT_EQ(Value(answer, "ad_service_account_state", Account("svc-backup", "locked")), 0.0);
  for (const char* role : {"pdc", "schema", "naming", "rid", "infrastructure"}) {
    EXPECT_EQ(Value(answer, "ad_fsmo_owner_agreement", {{"domain", "ad.test"}, {"role", role}}),
              1.0);
    EXPECT_EQ(Value(answer, "ad_fsmo_owner_info",
                    {{"domain", "ad.test"}, {"owner", kDc1}, {"role", role}}),
              1.0);
  }
}

TEST_F(AdDomainTest, AHealthyDomainWithAKeytab) {
  ::chmod(domain_->fact("keytab").c_str(), 0600);
  const Answer answer = Ask(Keys("account: svc-monitor, keytab: " + domain_->fact("keytab")));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(ProbeOk(answer, kDc2, "bind"), 1);
  EXPECT_EQ(Value(answer, "ad_replication_last_result", Link(kDc2, kDc1)), 0.0);
  EXPECT_EQ(Value(answer, "ad_share_accessible",
                  {{"dc", kDc2}, {"domain", "ad.test"}, {"share", "sysvol"}}),
            1.0);
}

TEST_F(AdDomainTest, OnTheControllerItselfWithoutAnAccount) {
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, deadline: 30s, expected: 2, ca: " +
          domain_->fact("ca") + ", response: {warning: 1m}, controllers: [{name: " + kDc1 +
          ", ldapi: " + domain_->path() + "/dc1/private/ldap_priv/ldapi}]}");
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(Value(answer, "ad_replication_last_result", Link(kDc1, kDc2)), 0.0);
  EXPECT_EQ(Value(answer, "ad_dc_count", {{"domain", "ad.test"}}), 2.0);
}

TEST_F(AdDomainTest, ASocketThatIsNotThereIsUnknown) {
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, deadline: 30s, parts: [directory], "
          "controllers: [{name: dc1.ad.test, ldapi: /nowhere/ldapi}, dc2.ad.test]}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, StartsWith("no logon at dc1.ad.test (/nowhere/ldapi: "));
}

TEST_F(AdDomainTest, WithoutAnAccountTheServicesAlone) {
  const Answer answer = Ask(Keys(""));
  EXPECT_EQ(answer.state, State::kOk) << answer.text;
  EXPECT_EQ(answer.text, "2 controllers up");
  EXPECT_EQ(ProbeOk(answer, kDc1, "kerberos"), 1);
  EXPECT_EQ(Value(answer, "ad_dc_count", {{"domain", "ad.test"}}), std::nullopt);
}

// Samba has no time service, so one of ours stands in, in the namespace's own loopback.
TEST_F(AdDomainTest, ATimeServiceThatIsOff) {
  boost::asio::ip::udp::socket server(io_, {boost::asio::ip::make_address("127.0.0.1"), 123});
  std::string request(100, '\0');
  boost::asio::ip::udp::endpoint client;
  server.async_receive_from(boost::asio::buffer(request), client,
                            [&](const boost::system::error_code& error, size_t size) {
                              if (error || size != 48) return;
                              std::string reply(48, '\0');
                              reply[0] = 0x24;
                              reply[1] = 1;
                              reply.replace(24, 8, request.substr(40, 8));
                              const int64_t now =
                                  ToUnixMillis(clock_.Now()) / 1000 + 2'208'988'800 + 100;
                              for (int i = 0; i < 4; ++i)
                                reply[40 + i] = static_cast<char>(now >> (24 - 8 * i) & 0xFF);
                              server.send_to(boost::asio::buffer(reply), client);
                            });
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, parts: [sntp], deadline: "
          "30s, controllers: [{name: dc1.ad.test, address: 127.0.0.1}]}");
  const auto skew = Value(answer, "ad_dc_clock_skew_seconds",
                          {{"dc", kDc1}, {"domain", "ad.test"}, {"source", "sntp"}});
  ASSERT_TRUE(skew) << answer.text;
  EXPECT_NEAR(*skew, 100, 5);
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("dc1.ad.test's clock is "));
}

// A name server that says over UDP only that its answer is cut off, as with ten controllers, and
// over TCP a name without targets. Samba's never cuts.
TEST_F(AdDomainTest, ANameServerWhoseAnswersDoNotFitADatagram) {
  const auto address = boost::asio::ip::make_address("127.53.0.14");
  boost::asio::ip::udp::socket datagrams(io_, {address, 53});
  boost::asio::ip::tcp::acceptor acceptor(io_, {address, 53});
  boost::asio::ip::udp::endpoint client;
  std::string request(600, '\0');
  std::function<void()> cut_off = [&] {
    datagrams.async_receive_from(boost::asio::buffer(request), client,
                                 [&](const boost::system::error_code& error, size_t size) {
                                   if (error) return;
                                   std::string reply = request.substr(0, size);
                                   reply[2] = '\x86';  // an answer, with authority, truncated
                                   datagrams.send_to(boost::asio::buffer(reply), client);
                                   cut_off();
                                 });
  };
  size_t whole = 0;
  std::function<void()> answer_whole = [&] {
    acceptor.async_accept(
        [&](const boost::system::error_code& error, boost::asio::ip::tcp::socket connection) {
          if (error) return;
          std::string query(600, '\0');
          query.resize(connection.read_some(boost::asio::buffer(query)));
          query[4] = '\x84';  // behind two bytes of length
          boost::asio::write(connection, boost::asio::buffer(query));
          ++whole;
          answer_whole();
        });
  };
  cut_off();
  answer_whole();
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, parts: [dns], deadline: 30s, controllers: "
          "[{name: dc1.ad.test, address: 127.53.0.14}]}");
  EXPECT_EQ(ProbeOk(answer, kDc1, "dns"), 1) << answer.text;
  EXPECT_EQ(whole, 7U) << "once for each record";
}

TEST_F(AdDomainTest, AnUnexpectedNumberOfControllers) {
  const Answer answer = Ask(Config("expected: 3"));
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_EQ(answer.text, "the directory lists 2 controllers, not 3");
}

// --- The agent's own account --------------------------------------------------------------------

TEST_F(AdDomainTest, AWrongPasswordIsTriedOnceAndNeverLocksTheAccount) {
  const std::string config = Config("", "bob", "not it");
  auto sensor = Make(config);
  const Answer first = Ask(*sensor);
  EXPECT_EQ(first.state, State::kUnknown);
  EXPECT_THAT(first.text, AllOf(StartsWith("logon of bob refused at "),
                                HasSubstr(": wrong password or no such account; not tried again "
                                          "until its secret file changes")));
  EXPECT_EQ(ProbeOk(first, kDc1, "rootdse"), 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Ask(*sensor).text, first.text);
  // A restart of the agent forgets nothing.
  sensor = Make(config);
  EXPECT_EQ(Ask(*sensor).state, State::kUnknown);
  EXPECT_EQ(WrongPasswords("bob"), 1);
  // The right one is tried as soon as it is there.
  WriteSecret(domain_->fact("user_password") + "\n");
  const Answer right = Ask(*sensor);
  EXPECT_EQ(right.state, State::kOk) << right.text;
  EXPECT_EQ(WrongPasswords("bob"), 0);
}

// The domain counts what it refuses, whether or not its answer arrives.
TEST_F(AdDomainTest, ALogonWithoutAnAnswerMayHaveBeenRefused) {
  const int before = WrongPasswords("svc-backup");
  const StallingRelay relay("127.53.0.13", domain_->fact("dc2"), 389, StallingRelay::kLogon);
  const std::string secret = WriteSecret("not it");
  const auto sensor = Make(
      "{sensor: active_directory, domain: ad.test, deadline: 8s, controllers: [{name: "
      "dc2.ad.test, address: 127.53.0.13}], parts: [directory], account: svc-backup, ca: " +
      domain_->fact("ca") + ", memory: " + own_.path() + "/memory, password_file: " + secret + "}");
  for (int i = 0; i < 4; ++i) {
    const Answer answer = Ask(*sensor);
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text,
                AllOf(StartsWith("logon of svc-backup not answered at "),
                      HasSubstr(": it may count as a wrong password; tried again hourly")));
  }
  EXPECT_EQ(WrongPasswords("svc-backup"), before + 1);
  domain_->Run("tool", "dc2 user unlock svc-backup >/dev/null");
}

TEST_F(AdDomainTest, AWrongKeytabIsTriedOnce) {
  const std::string keytab = own_.path() + "/keytab";
  EXPECT_EQ(Domain::Shell("printf 'addent -password -p carol@AD.TEST -k 1 -e "
                          "aes256-cts-hmac-sha1-96\\nnot it\\nwkt " +
                          keytab + "\\n' | ktutil >/dev/null 2>&1"),
            0);
  ::chmod(keytab.c_str(), 0600);
  const auto sensor = Make(Keys("account: carol, keytab: " + keytab));
  for (int i = 0; i < 4; ++i) {
    const Answer answer = Ask(*sensor);
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr("wrong password or no such account; not tried again"));
  }
  EXPECT_EQ(WrongPasswords("carol"), 1);
}

TEST_F(AdDomainTest, LockedExpiredAndDisabledAccountsOfItsOwn) {
  const std::string& password = domain_->fact("user_password");
  const Answer expired = Ask(Config("", "svc-expired", password));
  EXPECT_EQ(expired.state, State::kUnknown);
  EXPECT_THAT(expired.text, HasSubstr(": it has expired; tried again hourly"));
  const Answer disabled = Ask(Config("", "svc-disabled", password));
  EXPECT_EQ(disabled.state, State::kUnknown);
  EXPECT_THAT(disabled.text, HasSubstr(": it is disabled; tried again hourly"));
  LogOnWrongly("alice", 3);
  // A controller that is slow to answer is told first; the refusal is remembered until it is.
  const auto sensor = Make(Config("", "alice", password));
  const Answer locked = Until(*sensor, [](const Answer& a) { return a.state == State::kUnknown; });
  EXPECT_EQ(locked.state, State::kUnknown) << locked.text;
  EXPECT_THAT(locked.text, HasSubstr(": it is locked; tried again hourly"));
  domain_->Run("tool", "dc1 user unlock alice >/dev/null");
}

TEST_F(AdDomainTest, ASecretThatOthersMayReadIsNotUsed) {
  const std::string config = Config();
  ::chmod((own_.path() + "/password").c_str(), 0644);
  const Answer answer = Ask(config);
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, StartsWith(own_.path() + "/password may be read by others"));
  EXPECT_EQ(ProbeOk(answer, kDc1, "kerberos"), 1);
}

TEST_F(AdDomainTest, NoLogonWhereARefusalCouldNotBeRemembered) {
  std::string config = Config();
  const std::string memory = own_.path() + "/memory";
  config.replace(config.find(memory), memory.size(), "/proc/memory");
  const Answer answer = Ask(config);
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("cannot lock /proc/memory"));
}

// --- Other people's accounts --------------------------------------------------------------------

TEST_F(AdDomainTest, ALockedAccountIsCountedAndAListedOneIsCritical) {
  LogOnWrongly("alice", 3);
  const Answer counted = Ask(Config());
  EXPECT_EQ(counted.state, State::kOk) << counted.text;
  EXPECT_EQ(Value(counted, "ad_accounts_locked", {{"domain", "ad.test"}}), 1.0);
  EXPECT_EQ(Ask(Config("locked_accounts: {warning: 1}")).state, State::kOk);
  const Answer listed = Ask(Config("service_accounts: [alice]"));
  EXPECT_EQ(listed.state, State::kCritical);
  EXPECT_EQ(listed.text, "service account alice is locked");
  EXPECT_EQ(Value(listed, "ad_service_account_state", Account("alice", "locked")), 1.0);
  domain_->Run("tool", "dc1 user unlock alice >/dev/null");
  EXPECT_EQ(Ask(Config("service_accounts: [alice]")).state, State::kOk);
}

TEST_F(AdDomainTest, ExpiredDisabledAndMissingServiceAccounts) {
  const Answer answer = Ask(Config("service_accounts: [svc-expired, svc-disabled, no-such]"));
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_EQ(answer.text,
            "service account svc-expired has expired; service account svc-disabled is disabled; "
            "service account no-such is not there, or not readable");
  EXPECT_EQ(Value(answer, "ad_service_account_state", Account("svc-expired", "expired")), 1.0);
  EXPECT_EQ(Value(answer, "ad_service_account_state", Account("svc-disabled", "disabled")), 1.0);
  EXPECT_EQ(Value(answer, "ad_service_account_state", Account("no-such", "locked")), std::nullopt);
}

}  // namespace
}  // namespace oppetid::agent
