// The sensor's keys, and what it says where there is no domain. The drills with a real one stand in
// ad_domain_test.cc.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

#include "agent/sensors/exposition_parser.h"
#include "agent/sensors/series_filter.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ActiveDirectoryTest : public SensorFixture {
 protected:
  static std::string Keys(const std::string& more) {
    return "{sensor: active_directory, domain: ad.test, controllers: [dc1.ad.test], " + more + "}";
  }
  static std::string Logon(const std::string& more) {
    return Keys("account: svc, password_file: /p, memory: /m, " + more);
  }
};

TEST_F(ActiveDirectoryTest, KeysThatAreFine) {
  EXPECT_THAT(FaultsOf(Keys("")), IsEmpty());
  EXPECT_THAT(FaultsOf(Logon("parts: [replication], expected: 3, service_accounts: [a, b], "
                             "clock_skew: {warning: 1m}, rid_pool: {critical: 99}, ca: /ca")),
              IsEmpty());
  EXPECT_THAT(FaultsOf("{sensor: active_directory, domain: AD.Test, controllers: [{name: "
                       "dc1.ad.test, address: '2001:db8::1', ldapi: /run/ldapi}], parts: "
                       "[replication]}"),
              IsEmpty());
}

TEST_F(ActiveDirectoryTest, EveryFaultSaysWhatIsAllowed) {
  const auto fault = [this](const std::string& yaml) {
    const auto faults = FaultsOf(yaml);
    return faults.size() == 1 ? faults[0] : testing::PrintToString(faults);
  };
  EXPECT_THAT(fault(Keys("account: svc")), HasSubstr("either `password_file` or `keytab`"));
  EXPECT_THAT(fault(Keys("password_file: /p")), HasSubstr("whose password or keytab is it?"));
  EXPECT_THAT(fault(Keys("account: svc, keytab: /k")), HasSubstr("`memory`: name a file"));
  EXPECT_THAT(fault(Keys("account: 'AD\\svc', keytab: /k, memory: /m")),
              HasSubstr("the name without the domain"));
  EXPECT_THAT(fault(Keys("parts: [replication]")), HasSubstr("`replication` needs an `account`"));
  EXPECT_THAT(fault(Logon("parts: [dsn]")),
              HasSubstr("`dsn` is not one of services, dns, certificates, sntp, directory"));
  EXPECT_THAT(fault(Logon("keytab: /k")), HasSubstr("either `password_file` or `keytab`"));
  EXPECT_THAT(fault(Logon("ca: ca.pem")), HasSubstr("`ca`: expected an absolute path"));
  EXPECT_THAT(fault(Logon("service_accounts: ['a b']")), HasSubstr("`service_accounts`"));
  EXPECT_THAT(fault(Logon("rid_pool: {warning: 101}")), HasSubstr("0 to 100"));
  EXPECT_THAT(fault(Logon("clock_skew: {warnings: 1s}")), HasSubstr("warnings"));
  EXPECT_THAT(fault("{sensor: active_directory, domain: ad, controllers: [dc1.ad.test]}"),
              HasSubstr("expected a full DNS name"));
  EXPECT_THAT(fault("{sensor: active_directory, domain: ad.test, controllers: []}"),
              HasSubstr("a list of 1 to 16 names"));
  EXPECT_THAT(fault("{sensor: active_directory, domain: ad.test, controllers: [dc1.ad.test, {name: "
                    "DC1.ad.test}]}"),
              HasSubstr("`dc1.ad.test` is there twice"));
  EXPECT_THAT(fault("{sensor: active_directory, domain: ad.test, controllers: [{name: dc1.ad.test, "
                    "address: 'a,b'}]}"),
              HasSubstr("expected an address"));
}

TEST_F(ActiveDirectoryTest, WhereNobodyAnswersTheDomainIsDown) {
  // Nothing listens on this address of loopback.
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, controllers: [{name: dc1.ad.test, address: "
          "127.77.88.99}]}");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, StartsWith("no controller of ad.test answers; dc1.ad.test is down (port "
                                      "389: Connection refused)"));
  EXPECT_EQ(Value(answer, "ad_probe_success",
                  {{"dc", "dc1.ad.test"}, {"domain", "ad.test"}, {"probe", "kerberos"}}),
            0.0);
}

TEST_F(ActiveDirectoryTest, ANameThatDoesNotResolveIsUnknown) {
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.invalid, controllers: [dc1.ad.invalid]}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, StartsWith("cannot resolve dc1.ad.invalid: "));
}

TEST_F(ActiveDirectoryTest, AMissingSecretIsUnknownAndTheRestIsStillSeen) {
  const TempDir directory;
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, controllers: [{name: dc1.ad.test, address: "
          "127.77.88.99}], account: svc, password_file: /nowhere/password, memory: " +
          directory.path() + "/memory}");
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("cannot read /nowhere/password: No such file"));
}

TEST_F(ActiveDirectoryTest, ALookThatWaitsForAnotherEndsInTime) {
  const TempDir directory;
  const int lock = ::open((directory.path() + "/memory.lock").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const Answer answer =
      Ask("{sensor: active_directory, domain: ad.test, deadline: 1s, controllers: [{name: "
          "dc1.ad.test, address: 127.77.88.99}], memory: " +
          directory.path() + "/memory}");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("memory.lock: another look at the domain has it"));
  ::close(lock);
}

// --- A domain of Windows controllers ------------------------------------------------------------

TEST_F(ActiveDirectoryTest, WhatWindowsExporterGivesOnAController) {
  std::ostringstream text;
  text << std::ifstream(OPPETID_SOURCE_DIR "/tests/testdata/windows_exporter_dc.txt").rdbuf();
  const std::string exposition = text.str();
  ExpositionParser parser(exposition);
  ExpositionSeries series;
  std::set<std::string> collectors;
  size_t count = 0;
  while (parser.Next(series)) {
    ++count;
    for (const char* name :
         {"ad", "dns", "logical_disk", "memory", "os", "service", "system", "time"}) {
      if (series.name.starts_with(std::string("windows_") + name + "_")) collectors.insert(name);
    }
  }
  EXPECT_EQ(parser.invalid_lines(), 0U);
  EXPECT_EQ(count, 142U);
  EXPECT_THAT(collectors, ElementsAre("ad", "dns", "logical_disk", "memory", "os", "service",
                                      "system", "time"));
}

TEST_F(ActiveDirectoryTest, TheExampleForWindowsKeepsWhatMattersOfIt) {
  std::ostringstream example;
  example << std::ifstream(OPPETID_SOURCE_DIR "/deploy/agent.windows-domain.yaml").rdbuf();
  const std::string testdata = OPPETID_SOURCE_DIR "/tests/testdata/windows_exporter_";
  Faults faults("agent.windows-domain.yaml");
  const Yaml root = ParseYaml(example.str(), faults);
  YamlMap map(root, faults);
  std::set<std::string> kept;
  int scrapes = 0;
  for (YamlMap& check : map.Maps("checks")) {
    if (check.RequiredString("sensor") != "scrape") continue;
    ++scrapes;
    SeriesFilter filter;
    filter.keep = ReadPatterns(check, "keep");
    filter.limit = 1000;
    for (const char* version : {"dc", "0.15"}) {
      std::ostringstream text;
      text << std::ifstream(testdata + version + ".txt").rdbuf();
      for (const Sample& sample : filter.Read(text.str()).series) kept.insert(sample.family);
    }
  }
  EXPECT_EQ(scrapes, 2);
  EXPECT_THAT(faults.lines(), IsEmpty());
  for (const char* name :
       {"windows_ad_replication_pending_synchronizations", "windows_ad_ldap_last_bind_time_seconds",
        "windows_dns_recursive_query_failures_total", "windows_logical_disk_free_bytes",
        "windows_service_state", "windows_os_info", "windows_os_hostname", "windows_cs_hostname",
        "windows_memory_physical_free_bytes", "windows_cs_physical_memory_bytes",
        "windows_time_current_timestamp_seconds", "windows_system_boot_time_timestamp"}) {
    EXPECT_TRUE(kept.contains(name)) << name;
  }
  EXPECT_FALSE(kept.contains("windows_ad_directory_operations_total"));
}

}  // namespace
}  // namespace oppetid::agent
