// The drills: a real Active Directory of two Samba controllers, broken in each way that matters,
// and what the sensor then says. tests/README.md tells the observations.
//
// Runs within `tests/support/samba_domain isolate`, whose namespaces end with it.
#include <sys/stat.h>

#include <boost/asio/ip/udp.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kScript[] = OPPETID_SOURCE_DIR "/tests/support/samba_domain";
constexpr char kDc1[] = "dc1.ad.test";
constexpr char kDc2[] = "dc2.ad.test";
constexpr char kDomainContext[] = "DC=ad,DC=test";

// The domain that all drills share; each leaves it whole.
class Domain {
 public:
  Domain() {
    ::chmod(directory_.path().c_str(), 0755);  // users' files are in it, served as those users
    Run("start");
    std::istringstream lines(Output("env"));
    for (std::string line; std::getline(lines, line);) {
      const size_t equals = line.find('=');
      facts_[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }

  std::string path() const { return directory_.path() + "/ad"; }
  const std::string& fact(const std::string& name) const { return facts_.at(name); }

  // A verb of the script; fails the test when it fails.
  void Run(const std::string& verb, const std::string& arguments = "") const {
    EXPECT_EQ(Shell(std::string(kScript) + " " + verb + " " + path() + " " + arguments), 0)
        << verb << " " << arguments;
  }
  std::string Output(const std::string& verb, const std::string& arguments = "") const {
    const std::string file = directory_.path() + "/output";
    Run(verb, arguments + " >" + file);
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
  }
  std::string Admin() const { return "-U 'Administrator%" + fact("admin_password") + "'"; }
  static int Shell(const std::string& command) { return std::system(command.c_str()); }

 private:
  TempDir directory_;
  std::map<std::string, std::string> facts_;
};

class AdDomainTest : public SensorFixture {
 protected:
  static void SetUpTestSuite() { domain_ = new Domain(); }
  static void TearDownTestSuite() {
    delete domain_;
    domain_ = nullptr;
  }

  std::string WriteSecret(const std::string& content, const std::string& name = "password") const {
    const std::string file = own_.path() + "/" + name;
    std::ofstream(file) << content;
    ::chmod(file.c_str(), 0600);
    return file;
  }

  // A check's keys with an account and its password.
  std::string Config(const std::string& more = "", const std::string& account = "svc-monitor",
                     const std::string& password = domain_->fact("monitor_password")) const {
    return Keys("account: " + account + ", password_file: " + WriteSecret(password) + ", " + more);
  }
  std::string Keys(const std::string& more) const {
    // The machine may be busy with other tests.
    return "{sensor: active_directory, domain: ad.test, controllers: [dc1.ad.test, dc2.ad.test], "
           "deadline: 30s, response: {warning: 1m}, ca: " +
           domain_->fact("ca") + ", memory: " + own_.path() + "/memory, " + more + "}";
  }

  // Asks until this holds, at most for so long; the last answer.
  Answer Until(Sensor& sensor, const std::function<bool(const Answer&)>& holds,
               std::chrono::seconds within = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + within;
    Answer answer = Ask(sensor);
    while (!holds(answer) && std::chrono::steady_clock::now() < end) answer = Ask(sensor);
    return answer;
  }
  // The domain has got over a drill.
  void AwaitHealth() {
    domain_->Run("wait", "60");
    const auto sensor = Make(Config());
    const Answer answer = Until(*sensor, [](const Answer& a) { return a.state == State::kOk; });
    EXPECT_EQ(answer.state, State::kOk) << answer.text;
  }

  static Labels Dc(const char* dc) { return {{"dc", dc}, {"domain", "ad.test"}}; }
  static Labels Probe(const char* dc, const char* probe) {
    return {{"dc", dc}, {"domain", "ad.test"}, {"probe", probe}};
  }
  static Labels Link(const char* dc, const char* partner) {
    return {{"dc", dc}, {"domain", "ad.test"}, {"nc", kDomainContext}, {"partner", partner}};
  }
  static Labels Account(const char* account, const char* state) {
    return {{"account", account}, {"domain", "ad.test"}, {"state", state}};
  }
  static double ProbeOk(const Answer& answer, const char* dc, const char* probe) {
    return Value(answer, "ad_probe_success", Probe(dc, probe)).value_or(-1);
  }
  // Wrong passwords of an account that all controllers together have counted.
  static int WrongPasswords(const std::string& account) {
    int sum = 0;
    for (const char* dc : {"dc1", "dc2"}) {
      const std::string shown =
          domain_->Output("tool", dc + (" user show " + account + " --attributes=badPwdCount"));
      constexpr std::string_view kBefore = "badPwdCount: ";
      const size_t at = shown.find(kBefore);
      if (at != std::string::npos) sum += std::atoi(shown.c_str() + at + kBefore.size());
    }
    return sum;
  }
  void LogOnWrongly(const std::string& account, int times) const {
    for (int i = 0; i < times; ++i) {
      const int refused =
          Domain::Shell("LDAPTLS_CACERT=" + domain_->fact("ca") + " ldapwhoami -x -H ldaps://" +
                        kDc1 + " -D " + account + "@ad.test -w wrong >/dev/null 2>&1");
      EXPECT_NE(refused, 0);
    }
  }

  static Domain* domain_;
  TempDir own_;
};

Domain* AdDomainTest::domain_ = nullptr;

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

TEST_F(AdDomainTest, AWrongKeytabIsTriedOnce) {
  const std::string keytab = own_.path() + "/keytab";
  EXPECT_EQ(Domain::Shell("printf 'addent -password -p bob@AD.TEST -k 1 -e "
                          "aes256-cts-hmac-sha1-96\\nnot it\\nwkt " +
                          keytab + "\\n' | ktutil >/dev/null 2>&1"),
            0);
  ::chmod(keytab.c_str(), 0600);
  const auto sensor = Make(Keys("account: bob, keytab: " + keytab));
  for (int i = 0; i < 4; ++i) {
    const Answer answer = Ask(*sensor);
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr("wrong password or no such account; not tried again"));
  }
  EXPECT_EQ(WrongPasswords("bob"), 1);
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
  EXPECT_THAT(answer.text, HasSubstr("may be read by others"));
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

// --- DNS, SYSVOL, certificates ------------------------------------------------------------------

TEST_F(AdDomainTest, ADeletedServiceRecord) {
  const std::string record =
      "dc1.ad.test _msdcs.ad.test _ldap._tcp.dc SRV 'dc2.ad.test 389 0 100' " + domain_->Admin();
  domain_->Run("tool", "dc1 dns delete " + record + " >/dev/null");
  const auto sensor = Make(Config());
  const Answer answer = Until(*sensor, [](const Answer& a) { return a.state == State::kWarning; });
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("dc2.ad.test is missing at dc1.ad.test in "
                                     "_ldap._tcp.dc._msdcs"));
  const Labels labels = {{"dc", kDc1}, {"domain", "ad.test"}, {"record", "_ldap._tcp.dc._msdcs"}};
  EXPECT_EQ(Value(answer, "ad_dns_srv_targets", labels), 1.0);
  EXPECT_EQ(Value(answer, "ad_dns_srv_missing", labels), 1.0);
  domain_->Run("tool", "dc1 dns add " + record + " >/dev/null");
  AwaitHealth();
}

TEST_F(AdDomainTest, ALostSysvol) {
  const std::string sysvol = domain_->path() + "/dc2/state/sysvol/ad.test";
  std::filesystem::rename(sysvol, sysvol + ".away");
  const Answer answer = Ask(Config());
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr("sysvol of dc2.ad.test: "), HasSubstr("netlogon of dc2.ad.test: ")));
  EXPECT_EQ(Value(answer, "ad_share_accessible",
                  {{"dc", kDc2}, {"domain", "ad.test"}, {"share", "sysvol"}}),
            0.0);
  EXPECT_EQ(ProbeOk(answer, kDc2, "rootdse"), 1);
  std::filesystem::rename(sysvol + ".away", sysvol);
  EXPECT_EQ(Ask(Config()).state, State::kOk);
}

TEST_F(AdDomainTest, APolicyThatDiffersBetweenSysvolAndDirectory) {
  const std::string ini = domain_->path() +
                          "/dc2/state/sysvol/ad.test/Policies/"
                          "{31B2F340-016D-11D2-945F-00C04FB984F9}/GPT.INI";
  std::ostringstream before;
  before << std::ifstream(ini).rdbuf();
  std::ofstream(ini) << "[General]\r\nVersion=7\r\n";
  const Answer young = Ask(Config());
  EXPECT_EQ(young.state, State::kOk) << "a policy may just have been changed";
  EXPECT_EQ(Value(young, "ad_gpo_version_mismatch", Dc(kDc2)), 1.0);
  EXPECT_EQ(Value(young, "ad_gpo_version_mismatch", Dc(kDc1)), 0.0);
  const Answer old = Ask(Config("gpo_mismatch: {warning: 1ms}"));
  EXPECT_EQ(old.state, State::kWarning);
  EXPECT_EQ(old.text, "1 policies differ between SYSVOL and directory at dc2.ad.test");
  std::ofstream(ini) << before.str();
  EXPECT_EQ(Ask(Config()).state, State::kOk);
}

TEST_F(AdDomainTest, Certificates) {
  const Labels port = {{"dc", kDc1}, {"domain", "ad.test"}, {"port", "636"}};
  domain_->Run("cert", "dc1 expired");
  const Answer expired = Ask(Config());
  EXPECT_EQ(expired.state, State::kCritical);
  EXPECT_THAT(expired.text, AllOf(StartsWith("dc1.ad.test's certificate expired at "),
                                  HasSubstr("no logon at dc1.ad.test (no TLS")));
  EXPECT_EQ(Value(expired, "ad_tls_certificate_trusted", port), 0.0);
  EXPECT_LT(Value(expired, "ad_tls_certificate_expiry_timestamp_seconds", port),
            static_cast<double>(ToUnixMillis(clock_.Now()) / 1000));
  EXPECT_EQ(ProbeOk(expired, kDc1, "tls"), 1) << "it answers, but not well";
  EXPECT_EQ(ProbeOk(expired, kDc1, "bind"), 0);
  EXPECT_EQ(ProbeOk(expired, kDc2, "bind"), 1);

  domain_->Run("cert", "dc1 selfsigned");
  const Answer own = Ask(Config());
  EXPECT_EQ(own.state, State::kCritical);
  EXPECT_THAT(own.text, StartsWith("dc1.ad.test's certificate not trusted: self"));
  EXPECT_EQ(Value(own, "ad_tls_certificate_trusted", port), 0.0);
  EXPECT_EQ(ProbeOk(own, kDc1, "bind"), 0) << "a password goes to nobody unverified";

  domain_->Run("cert", "dc1 valid 10");
  const Answer soon = Ask(Config());
  EXPECT_EQ(soon.state, State::kWarning);
  EXPECT_THAT(soon.text, HasSubstr("dc1.ad.test's certificate expires in 9 days"));
  domain_->Run("cert", "dc1 valid 365");
  AwaitHealth();
}

// --- Controllers that fail ----------------------------------------------------------------------

TEST_F(AdDomainTest, AControllerDies) {
  const auto sensor = Make(Config());
  EXPECT_EQ(Ask(*sensor).state, State::kOk);
  domain_->Run("kill", "dc2");
  const Answer first = Ask(*sensor);
  EXPECT_EQ(first.state, State::kWarning);
  EXPECT_THAT(first.text, StartsWith("dc2.ad.test is down (port 389: Connection refused)"));
  for (const char* probe : {"rootdse", "kerberos", "dns", "smb", "tls"}) {
    EXPECT_EQ(ProbeOk(first, kDc2, probe), 0) << probe;
    EXPECT_EQ(ProbeOk(first, kDc1, probe), 1) << probe;
  }
  const Answer failing = Until(*sensor, [](const Answer& answer) {
    return Value(answer, "ad_replication_consecutive_failures", Link(kDc1, kDc2)) >= 3.0;
  });
  EXPECT_EQ(Value(failing, "ad_replication_last_result", Link(kDc1, kDc2)), 1225.0);
  EXPECT_THAT(failing.text, HasSubstr("dc1.ad.test from dc2.ad.test: no success for "));
  EXPECT_THAT(failing.text, HasSubstr("connection refused (1225)"));
  domain_->Run("up", "dc2");
  AwaitHealth();
}

TEST_F(AdDomainTest, TheOwnerOfTheRolesDiesAndThenTheLastController) {
  const auto sensor = Make(Config());
  domain_->Run("kill", "dc1");
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr("dc1.ad.test is down"),
                    HasSubstr("dc1.ad.test is down and owns role domain_dns_zones and 6 "
                              "more")));
  for (const char* role : {"pdc", "schema", "naming", "rid", "infrastructure"}) {
    EXPECT_EQ(Value(answer, "ad_fsmo_owner_up", {{"domain", "ad.test"}, {"role", role}}), 0.0);
  }
  domain_->Run("kill", "dc2");
  const Answer none = Ask(*sensor);
  EXPECT_EQ(none.state, State::kCritical);
  EXPECT_THAT(none.text, StartsWith("no controller of ad.test answers"));
  domain_->Run("up", "dc1");
  domain_->Run("up", "dc2");
  AwaitHealth();
}

TEST_F(AdDomainTest, ACutLink) {
  const auto sensor = Make(Config("replication_age: {warning: 8s}"));
  domain_->Run("link", "dc2 down");
  const auto start = std::chrono::steady_clock::now();
  const Answer first = Ask(*sensor);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(12));
  EXPECT_EQ(first.state, State::kWarning);
  EXPECT_THAT(first.text, StartsWith("dc2.ad.test is down (port 389: "));
  EXPECT_EQ(ProbeOk(first, kDc1, "bind"), 1);
  // The count of failures stands still for more than a minute; the age does not.
  const Answer old = Until(*sensor, [](const Answer& answer) {
    return Value(answer, "ad_replication_last_success_age_seconds", Link(kDc1, kDc2)) > 8.0;
  });
  EXPECT_THAT(old.text, HasSubstr("dc1.ad.test from dc2.ad.test: no success for "));
  domain_->Run("link", "dc2 up");
  AwaitHealth();
}

TEST_F(AdDomainTest, AClockThatIsOff) {
  const auto sensor = Make(Config());
  domain_->Run("kill", "dc2");
  domain_->Run("up", "dc2 +10m");
  const Answer answer = Until(*sensor, [](const Answer& a) {
    return Value(a, "ad_replication_last_result", Link(kDc2, kDc1)) == 1326.0;
  });
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, StartsWith("dc2.ad.test's clock is "));
  EXPECT_EQ(Value(answer, "ad_replication_last_result", Link(kDc2, kDc1)), 1326.0);
  for (const char* source : {"ldap", "kerberos"}) {
    const auto skew = Value(answer, "ad_dc_clock_skew_seconds",
                            {{"dc", kDc2}, {"domain", "ad.test"}, {"source", source}});
    ASSERT_TRUE(skew);
    EXPECT_NEAR(*skew, 600, 10) << source;
  }
  // Ages are by the controller's own clock, so its future does not look like neglect.
  EXPECT_LT(Value(answer, "ad_replication_last_success_age_seconds", Link(kDc1, kDc2)), 300.0);
  domain_->Run("kill", "dc2");
  domain_->Run("up", "dc2");
  AwaitHealth();
}

// Last, since a domain does not get over it.
TEST_F(AdDomainTest, ADatabaseThatWentBackInTime) {
  const std::string state = domain_->path() + "/dc2/private";
  domain_->Run("kill", "dc2");
  ASSERT_EQ(Domain::Shell("cp -a " + state + " " + state + ".snapshot"), 0);
  domain_->Run("up", "dc2");
  domain_->Run("tool", "dc2 user create after-the-snapshot 'Aft3r-it!' >/dev/null");
  const auto sensor = Make(Config());
  const Answer before = Ask(*sensor);
  EXPECT_TRUE(Value(before, "ad_dc_highest_committed_usn", Dc(kDc2)));
  domain_->Run("kill", "dc2");
  ASSERT_EQ(Domain::Shell("rm -r " + state + " && mv " + state + ".snapshot " + state), 0);
  domain_->Run("up", "dc2");
  const Answer after = Ask(*sensor);
  EXPECT_EQ(after.state, State::kCritical);
  EXPECT_THAT(after.text, HasSubstr("dc2.ad.test's database went back in time (USN "));
  EXPECT_EQ(Ask(*sensor).state, State::kCritical) << "once seen it stays";
}

}  // namespace
}  // namespace oppetid::agent
