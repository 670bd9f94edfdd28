// The drills: a real domain broken in each way that matters, and what the sensor then says.
// tests/README.md tells the observations.
#include <filesystem>

#include "tests/support/ad_domain.h"
#include "tests/support/stalling_relay.h"

namespace oppetid::agent {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

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

TEST_F(AdDomainTest, ReplicationThatIsSwitchedOff) {
  const std::string options = "dc2 drs options dc2.ad.test " + domain_->Admin() + " --dsa-option=";
  domain_->Run("tool", options + "+DISABLE_INBOUND_REPL >/dev/null");
  const auto sensor = Make(Config());
  const Answer off = Until(*sensor, [](const Answer& a) { return a.state == State::kCritical; });
  EXPECT_EQ(off.state, State::kCritical);
  EXPECT_THAT(off.text, StartsWith("dc2.ad.test's replication is switched off"));
  EXPECT_EQ(Value(off, "ad_dc_replication_disabled", Dc(kDc2)), 1.0);
  EXPECT_EQ(Value(off, "ad_dc_replication_disabled", Dc(kDc1)), 0.0);
  domain_->Run("tool", options + "-DISABLE_INBOUND_REPL >/dev/null");
  AwaitHealth();
}

// One that accepts and then hangs costs neither the others' results nor the deadline.
TEST_F(AdDomainTest, AControllerThatStallsHalfWay) {
  const std::string keys =
      "{sensor: active_directory, domain: ad.test, deadline: 6s, response: {warning: 1m}, "
      "controllers: [dc1.ad.test, {name: dc2.ad.test, address: 127.53.0.12}], expected: 2, parts: "
      "[directory, replication], account: svc-monitor, ca: " +
      domain_->fact("ca") + ", memory: " + own_.path() +
      "/memory, password_file: " + WriteSecret(domain_->fact("monitor_password")) + "}";
  const std::pair<StallingRelay::After, const char*> cases[] = {
      {StallingRelay::kHello, "no logon at dc2.ad.test (no TLS, so no logon: no answer in time)"},
      {StallingRelay::kFirstSearch, "dc2.ad.test does not answer LDAP (no answer in time)"},
  };
  for (const auto& [after, text] : cases) {
    const StallingRelay relay("127.53.0.12", domain_->fact("dc2"), 389, after);
    const auto start = std::chrono::steady_clock::now();
    const Answer answer = Ask(keys);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(6));
    EXPECT_EQ(answer.state, State::kWarning);
    EXPECT_THAT(answer.text, StartsWith(text));
    EXPECT_EQ(Value(answer, "ad_replication_last_result", Link(kDc1, kDc2)), 0.0);
    EXPECT_EQ(Value(answer, "ad_dc_count", {{"domain", "ad.test"}}), 2.0);
  }
}

TEST_F(AdDomainTest, WithAKeytabToo) {
  ::chmod(domain_->fact("keytab").c_str(), 0600);
  const auto sensor = Make(
      "{sensor: active_directory, domain: ad.test, deadline: 6s, controllers: [dc1.ad.test, "
      "dc2.ad.test], account: svc-monitor, keytab: " +
      domain_->fact("keytab") + ", memory: " + own_.path() + "/memory}");
  domain_->Run("link", "dc1 down");
  domain_->Run("link", "dc2 down");
  const Answer none = Ask(*sensor);
  EXPECT_EQ(none.state, State::kCritical) << "libkrb5 alone would ask for half a minute";
  EXPECT_THAT(none.text, StartsWith("no controller of ad.test answers"));
  domain_->Run("link", "dc1 up");
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

// With a domain of its own, since a domain does not get over it.
class AdLostDomainTest : public AdDomainTest {};

TEST_F(AdLostDomainTest, ADatabaseThatWentBackInTime) {
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

// What is left of a controller that was not demoted, but forgotten.
TEST_F(AdLostDomainTest, AControllerWhoseComputerAccountWasDeletedIsStillListed) {
  domain_->Run("kill", "dc2");
  ASSERT_EQ(
      Domain::Shell("LDAPTLS_CACERT=" + domain_->fact("ca") + " ldapdelete -x -r -H ldaps://" +
                    kDc1 + " -D Administrator@ad.test -w '" + domain_->fact("admin_password") +
                    "' 'CN=DC2,OU=Domain Controllers,DC=ad,DC=test'"),
      0);
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, deadline: 30s, parts: [directory], "
          "controllers: [dc1.ad.test], expected: 1, account: svc-monitor, ca: " +
          domain_->fact("ca") + ", memory: " + own_.path() +
          "/memory, password_file: " + WriteSecret(domain_->fact("monitor_password")) + "}");
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("the directory lists 2 controllers, not 1"));
  EXPECT_EQ(Value(answer, "ad_dc_count", {{"domain", "ad.test"}}), 2.0);
}

}  // namespace
}  // namespace oppetid::agent
