// What a look at a domain means, without a domain: what no drill can bring about in a test's time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "agent/ad/findings.h"
#include "agent/ad/judge.h"
#include "agent/ad/look.h"
#include "agent/sensors/exposition_parser.h"
#include "common/families.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kSettings1[] = "CN=NTDS Settings,CN=DC1,CN=Servers";
constexpr char kSettings2[] = "CN=NTDS Settings,CN=DC2,CN=Servers";
constexpr char kContext[] = "DC=ad,DC=test";

class AdJudgeTest : public testing::Test {
 protected:
  AdJudgeTest() {
    options_.domain = "ad.test";
    options_.parts.assign(kAdParts.begin(), kAdParts.end());
    options_.controllers = {{"dc1.ad.test", "", ""}, {"dc2.ad.test", "", ""}};
    view_.now = FromUnixMillis(1'795'332'000'000);
    view_.listed = {{"dc1.ad.test", "guid1", "inv1", kSettings1, kDsaIsCatalog, false, view_.now},
                    {"dc2.ad.test", "guid2", "inv2", kSettings2, kDsaIsCatalog, false, view_.now}};
    view_.krbtgt_set = view_.now - std::chrono::days(10);
    view_.tombstone_days = 180;
    view_.rid_pool_used = 0.1;
    view_.locked_accounts = 0;
    view_.controllers = {Controller("dc1.ad.test", "guid2"), Controller("dc2.ad.test", "guid1")};
  }

  AdControllerView Controller(const std::string& name, const std::string& partner) const {
    AdControllerView controller;
    controller.name = name;
    for (const char* probe :
         {"rootdse", "ldap_ping", "bind", "kerberos", "dns", "smb", "sntp", "tls"}) {
      controller.probes[probe] = {true, 0.01, ""};
    }
    controller.ldap_skew = Millis(200);
    controller.sntp_skew = Millis(-3);
    controller.directory_time = view_.now;
    controller.synchronized = true;
    controller.catalog_ready = true;
    controller.host = name;
    controller.usn = 5000;
    controller.flags = kAdvertisesLdap | kAdvertisesDs | kAdvertisesKdc;
    controller.kerberos_error = 25;
    controller.contexts = {kContext};
    controller.certificates = {{636, view_.now + std::chrono::days(100), ""}};
    for (const std::string_view record : kAdRecords) {
      controller.records[std::string(record)] = {"dc1.ad.test", "dc2.ad.test"};
    }
    controller.guid_names = {{"guid1", true}, {"guid2", true}};
    controller.links_read = true;
    controller.links = {{kContext, false, true, {{partner, view_.now, view_.now, 0, 0}}}};
    for (const char* role : {"pdc", "rid", "schema"}) controller.owners[role] = kSettings1;
    controller.shares = {{"sysvol", {true, 0.1, ""}}, {"netlogon", {true, 0.1, ""}}};
    controller.gpo_mismatches = 0;
    return controller;
  }

  AdReport Judge() { return JudgeDomain(options_, view_, memory_); }
  // Expects this state, with this text in it.
  void Expect(State state, const std::string& text) {
    const AdReport report = Judge();
    EXPECT_EQ(report.state, state) << report.text;
    EXPECT_THAT(report.text, HasSubstr(text));
  }
  AdControllerView& dc1() { return view_.controllers[0]; }
  AdControllerView& dc2() { return view_.controllers[1]; }
  ReplicationLink& link() { return dc1().links[0].links[0]; }

  AdOptions options_;
  AdView view_;
  AdMemory memory_;
};

TEST_F(AdJudgeTest, AllIsWell) {
  Expect(State::kOk, "2 controllers up, 2 links replicated 0s ago or less");
}

TEST_F(AdJudgeTest, EverySeriesIsAKnownFamilyWithItsLabels) {
  view_.accounts = {{"svc", true, true, false, false, view_.now}};
  const AdReport report = Judge();
  ExpositionParser parser(report.series);
  ExpositionSeries series;
  std::set<std::string> seen;
  while (parser.Next(series)) {
    const Family* family = FindFamily(series.name);
    ASSERT_NE(family, nullptr) << series.name;
    seen.insert(series.name);
    const std::string allowed = "," + std::string(family->labels) + ",";
    for (const auto& [name, value] : series.labels) {
      EXPECT_THAT(allowed, HasSubstr("," + name + ",")) << series.name;
    }
  }
  EXPECT_EQ(parser.invalid_lines(), 0U);
  for (const Family& family : Families()) {
    if (family.name.starts_with("ad_")) {
      EXPECT_TRUE(seen.contains(std::string(family.name))) << family.name;
    }
  }
}

TEST_F(AdJudgeTest, NoTwoPartsGiveTheSameSeries) {
  view_.accounts = {{"svc", true, true, false, false, view_.now}};
  std::set<std::string> seen;
  for (const std::string_view part : kAdParts) {
    options_.parts = {std::string(part)};
    const std::string text = Judge().series;
    EXPECT_NE(text, "") << part;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << part << " " << line;
    }
  }
  options_.parts.assign(kAdParts.begin(), kAdParts.end());
  const std::string all = Judge().series;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), static_cast<ptrdiff_t>(seen.size()));
}

TEST_F(AdJudgeTest, AServiceThatFailsAtOneOrAtAll) {
  dc1().probes["kerberos"] = {false, 0, "no answer in time"};
  Expect(State::kWarning, "dc1.ad.test does not answer Kerberos (no answer in time)");
  dc2().probes["kerberos"] = {false, 0, "no answer in time"};
  Expect(State::kCritical, "dc2.ad.test does not answer Kerberos");
  dc1().probes["kerberos"].ok = dc2().probes["kerberos"].ok = true;
  for (AdControllerView* dc : {&dc1(), &dc2()}) dc->probes["tls"] = {false, 0, "closed"};
  Expect(State::kWarning, "LDAPS");
}

TEST_F(AdJudgeTest, NamesThatDoNotResolveAreUnknownNotDown) {
  for (AdControllerView& controller : view_.controllers) {
    controller = AdControllerView{};
    controller.unresolved = "cannot resolve it";
  }
  view_.listed.reset();
  Expect(State::kUnknown, "cannot resolve it");
}

TEST_F(AdJudgeTest, SlownessIsAWarning) {
  dc1().probes["rootdse"].seconds = 1.7;
  Expect(State::kWarning, "dc1.ad.test is slow: LDAP took 1700 ms");
}

TEST_F(AdJudgeTest, RolesOfAController) {
  dc1().synchronized = false;
  Expect(State::kWarning, "dc1.ad.test is not synchronised");
  dc2().flags = kAdvertisesLdap;
  Expect(State::kCritical, "dc2.ad.test does not advertise itself as a controller");
  dc1().synchronized = true;
  dc2().flags = dc1().flags;
  dc1().catalog_ready = false;
  Expect(State::kWarning, "dc1.ad.test's global catalogue is not ready");
  dc2().catalog_ready = false;
  Expect(State::kCritical, "no global catalogue is ready");
}

TEST_F(AdJudgeTest, Clocks) {
  dc1().kerberos_skew = -std::chrono::seconds(100);
  Expect(State::kWarning, "dc1.ad.test's clock is 100 s behind");
  dc1().kerberos_skew = std::chrono::seconds(300);
  Expect(State::kCritical, "dc1.ad.test's clock is 300 s ahead");
  dc2().ldap_skew = std::chrono::seconds(310);
  Expect(State::kWarning, "agree that this host's clock is off: they are 300 s ahead");
}

TEST_F(AdJudgeTest, ReplicationByAge) {
  link().last_success = view_.now - std::chrono::hours(2);
  Expect(State::kWarning, "dc1.ad.test from dc2.ad.test: no success for 2h");
  link().last_success = view_.now - std::chrono::hours(25);
  Expect(State::kCritical, "no success for 1d1h");
  options_.limits[static_cast<size_t>(AdLimitName::kReplicationAge)] = {0, 0};
  EXPECT_EQ(Judge().state, State::kOk);
  link().last_success = view_.now - std::chrono::days(47);
  Expect(State::kWarning, "near the tombstone lifetime");
  link().last_success = view_.now - std::chrono::days(92);
  Expect(State::kCritical, "near the tombstone lifetime");
}

TEST_F(AdJudgeTest, ReplicationByFailures) {
  link().failures = 2;
  link().result = 1722;
  EXPECT_EQ(Judge().state, State::kOk);
  link().failures = 3;
  Expect(State::kWarning, "RPC server unavailable (1722)");
  link().result = 0;  // it has just recovered; the count is cleared a moment later
  EXPECT_EQ(Judge().state, State::kOk);
  link() = {"guid9", std::nullopt, view_.now, 8453, 5};
  Expect(State::kWarning, "dc1.ad.test from unlisted: never a success");
}

TEST_F(AdJudgeTest, ReplicationThatCannotBeSeenIsUnknown) {
  dc1().links[0] = {kContext, false, false, {}};
  Expect(State::kUnknown, "dc1.ad.test shows no replication state");
  view_.listed->pop_back();
  options_.expected = 1;
  dc2().links.clear();
  dc2().links_read = false;
  const AdReport alone = Judge();
  EXPECT_THAT(alone.text, testing::Not(HasSubstr("shows no replication")));
}

TEST_F(AdJudgeTest, LinksThatCouldNotBeReadAreUnknown) {
  dc1().links.clear();
  dc1().links_read = false;
  Expect(State::kUnknown, "dc1.ad.test does not tell its replication state");
  dc1().probes["bind"] = {false, 0, "no TLS"};
  Expect(State::kWarning, "no logon at dc1.ad.test (no TLS)");
  EXPECT_THAT(Judge().text, testing::Not(HasSubstr("does not tell")));
}

TEST_F(AdJudgeTest, ANamingContextWithoutAPartner) {
  const char kZones[] = "DC=DomainDnsZones,DC=ad,DC=test";
  dc1().contexts.push_back(kZones);
  dc1().links.push_back({kZones, false, false, {}});
  EXPECT_EQ(Judge().state, State::kOk) << "no other controller has it";
  dc2().contexts.push_back(kZones);
  Expect(State::kCritical, "dc1.ad.test has no partner for DC=DomainDnsZones");
  // The domain itself is at every controller that is listed, watched or not.
  view_.controllers.pop_back();
  dc1().links.back().links = dc1().links.front().links;
  dc1().links.front().links.clear();
  dc1().default_context = kContext;
  Expect(State::kCritical, "dc1.ad.test has no partner for DC=ad,DC=test");
}

TEST_F(AdJudgeTest, OwnersOfTheRoles) {
  dc2().owners["pdc"] = kSettings2;
  Expect(State::kCritical, "the controllers disagree about the owner of role pdc");
  dc2().owners["pdc"] = kSettings1;
  for (AdControllerView* dc : {&dc1(), &dc2()}) {
    dc->owners["rid"] = "CN=NTDS Settings\\0ADEL:5b80,CN=Deleted Objects";
  }
  Expect(State::kCritical, "role rid belongs to a controller that is gone");
}

TEST_F(AdJudgeTest, ADatabaseThatWentBackStaysCriticalUntilItHasCaughtUp) {
  memory_.usn["inv2"] = 6000;
  Expect(State::kCritical, "dc2.ad.test's database went back in time (USN 5000 after 6000)");
  Expect(State::kCritical, "went back in time");
  dc2().usn = 6001;
  EXPECT_EQ(Judge().state, State::kOk);
  EXPECT_EQ(memory_.usn["inv2"], 6001);
  // Restored as it should be, a database has a new identity.
  (*view_.listed)[1].invocation = "inv3";
  dc2().usn = 100;
  EXPECT_EQ(Judge().state, State::kOk);
}

TEST_F(AdJudgeTest, AWrongAddressIsNoDatabaseThatWentBack) {
  memory_.usn["inv2"] = 6000;
  dc2().host = "dc1.ad.test";
  Expect(State::kUnknown, "the address of dc2.ad.test is that of dc1.ad.test");
  dc2().usn = 9000;
  EXPECT_EQ(Judge().state, State::kUnknown);
  EXPECT_EQ(memory_.usn["inv2"], 6000) << "nor is it remembered as the other's";
}

TEST_F(AdJudgeTest, ListedControllers) {
  for (const int64_t inbound_outbound : {2, 4}) {
    (*view_.listed)[0].options = kDsaIsCatalog | inbound_outbound;
    Expect(State::kCritical, "dc1.ad.test's replication is switched off");
  }
  constexpr int64_t kTranslationOff = 8;
  (*view_.listed)[0].options = kDsaIsCatalog | kTranslationOff;
  EXPECT_EQ(Judge().state, State::kOk) << "which is no matter of replication";
  (*view_.listed)[0].options = kDsaIsCatalog;
  (*view_.listed)[0].password_set = view_.now - std::chrono::days(61);
  Expect(State::kWarning, "dc1.ad.test's own password is 61 days old");
}

TEST_F(AdJudgeTest, Names) {
  dc1().records["_gc._tcp"] = {"dc1.ad.test"};
  Expect(State::kWarning, "dc2.ad.test is missing at dc1.ad.test in _gc._tcp");
  dc1().records["_gc._tcp"] = {};
  dc2().records["_gc._tcp"] = {};
  Expect(State::kCritical, "no name server has _gc._tcp");
  for (AdControllerView* dc : {&dc1(), &dc2()}) {
    dc->records["_gc._tcp"] = {"dc1.ad.test", "dc2.ad.test"};
  }
  dc1().guid_names["guid2"] = false;
  Expect(State::kWarning, "dc2.ad.test's GUID name, which replication needs, is missing at dc1");
  dc2().guid_names["guid2"] = false;
  Expect(State::kCritical, "is missing at every name server");
}

TEST_F(AdJudgeTest, CertificatesAndAges) {
  dc1().certificates = {{636, view_.now + std::chrono::days(20), ""},
                        {3269, view_.now + std::chrono::days(20), ""}};
  const AdReport soon = Judge();
  EXPECT_EQ(soon.state, State::kWarning);
  EXPECT_EQ(soon.text, "dc1.ad.test's certificate expires in 20 days") << "said once";
  dc1().certificates[0].expiry = view_.now + std::chrono::days(6);
  Expect(State::kCritical, "expires in 6 days");
  dc1().certificates = {{636, view_.now + std::chrono::days(100), "not trusted: self-signed"}};
  Expect(State::kCritical, "dc1.ad.test's certificate not trusted: self-signed");
  dc1().certificates.clear();
  view_.krbtgt_set = view_.now - std::chrono::days(400);
  Expect(State::kWarning, "krbtgt's password is 400 days old");
  options_.limits[static_cast<size_t>(AdLimitName::kKrbtgtAge)].critical = 365 * kDayMs;
  Expect(State::kCritical, "krbtgt's password is 400 days old");
  view_.krbtgt_set.reset();
  view_.rid_pool_used = 0.97;
  Expect(State::kCritical, "97 % of all RIDs are used up");
}

TEST_F(AdJudgeTest, Accounts) {
  view_.locked_accounts = 11;
  Expect(State::kWarning, "11 accounts are locked");
  view_.locked_is_least = true;
  Expect(State::kWarning, "at least 11 accounts are locked");
  view_.locked_accounts = 10;
  view_.accounts = {{"svc", true, false, false, false, view_.now + std::chrono::days(13)}};
  Expect(State::kWarning, "service account svc's password expires in 13 days");
  view_.accounts = {{"svc", false, false, false, false, std::nullopt}};
  Expect(State::kUnknown, "service account svc is not there, or not readable");
}

TEST_F(AdJudgeTest, SharesAtOneOrAtAll) {
  dc1().shares["sysvol"] = {false, 0, "no such share"};
  Expect(State::kWarning, "sysvol of dc1.ad.test: no such share");
  dc2().shares["sysvol"] = {false, 0, "empty"};
  Expect(State::kCritical, "sysvol of dc2.ad.test: empty");
}

TEST_F(AdJudgeTest, APolicyMayDifferForAnHour) {
  dc1().gpo_mismatches = 2;
  EXPECT_EQ(Judge().state, State::kOk);
  view_.now += std::chrono::minutes(61);
  Expect(State::kWarning, "2 policies differ between SYSVOL and directory at dc1.ad.test");
  dc1().gpo_mismatches = 0;
  EXPECT_EQ(Judge().state, State::kOk);
  EXPECT_TRUE(memory_.mismatched.empty());
}

TEST_F(AdJudgeTest, LogonsThatFailWithoutARefusal) {
  dc1().probes["bind"] = {false, 0, "no TLS"};
  Expect(State::kWarning, "no logon at dc1.ad.test (no TLS)");
  dc2().probes["bind"] = {false, 0, "no TLS"};
  Expect(State::kUnknown, "no logon at dc2.ad.test (no TLS)");
  view_.logon_trouble = "logon refused";
  EXPECT_EQ(Judge().text, "logon refused");
}

TEST(AdFindings, TheWorstComesFirstAndAllFitsIntoALine) {
  Findings findings;
  findings.Add(State::kUnknown, "u");
  findings.Add(State::kWarning, "w");
  findings.Add(State::kWarning, "w");
  findings.Add(State::kCritical, "c");
  findings.Group(State::kWarning, "group", "a");
  findings.Group(State::kWarning, "group", "b");
  EXPECT_EQ(findings.WorstState(), State::kCritical);
  EXPECT_EQ(findings.Text(), "c; w; group a and 1 more; u");
  for (int i = 0; i < 100; ++i)
    findings.Add(State::kWarning, std::string(40, 'x') + std::to_string(i));
  EXPECT_LE(findings.Text().size(), 256U);
  EXPECT_THAT(findings.Text(), testing::ContainsRegex("; and [0-9]+ more$"));
  EXPECT_THAT(findings.Text(), StartsWith("c; w; group a"));
}

}  // namespace
}  // namespace oppetid::agent
