#include "collector/hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "collector/revocations.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

const Instant kAt = FromUnixMillis(1'783'072'800'000);

// Acts as they would be recorded, by hand.
class HostsTest : public testing::Test {
 protected:
  void Apply(const std::string& kind, const std::string& body) {
    Act act;
    act.at = kAt;
    act.kind = kind;
    act.body = body;
    hosts_.Apply(act);
  }
  void Invite(const std::string& token, const std::string& municipality = "vik") {
    Apply(kAgentInvited,
          InvitedBody("srv1", municipality, {token, "hash", kAt + Millis(1'000), false, {}}));
  }
  void Issue(const std::string& token, const std::string& serial) {
    Apply(token.empty() ? kCertificateRenewed : kAgentEnrolled,
          IssuedBody("srv1", "vik", token, {serial, "key", "pem", "ca", kAt, kAt + Millis(9'000)}));
  }
  void Revoke(const std::string& id = "0123456789abcdef") {
    Apply(kAgentRevoked, EndedBody("srv1", id, "stolen \"x\""));
  }
  // Why a peer is refused; empty when it is not.
  std::string Why(const std::string& serial, const std::string& municipality = "vik") const {
    Peer peer;
    peer.identity = {municipality, "srv1"};
    peer.serial = serial;
    const Reason reason = hosts_.Admit(peer);
    return reason == kAccepted ? "" : reason;
  }

  Hosts hosts_;
};

TEST_F(HostsTest, WhoIsNotKnownIsAdmittedByItsCertificateAlone) { EXPECT_EQ(Why("1"), ""); }

TEST_F(HostsTest, AnInvitationIsFoundByItsTokenUntilANewerOneComes) {
  Invite("aa");
  ASSERT_NE(hosts_.FindByToken("aa"), nullptr);
  EXPECT_EQ(hosts_.FindByToken("aa")->second.municipality, "vik");
  EXPECT_EQ(hosts_.FindByToken("aa")->second.invitation->expires, kAt + Millis(1'000));
  EXPECT_FALSE(hosts_.Find("srv1")->enrolled);
  Invite("bb", "fjord");
  EXPECT_EQ(hosts_.FindByToken("aa"), nullptr);
  EXPECT_EQ(hosts_.FindByToken("bb")->second.municipality, "fjord");
}

TEST_F(HostsTest, AHostBelongsToTheMunicipalityOfItsFirstCertificate) {
  Invite("aa");
  EXPECT_EQ(Why("1", "fjord"), "") << "invited is not enrolled";
  Issue("aa", "1");
  EXPECT_EQ(Why("1"), "");
  EXPECT_EQ(Why("1", "fjord"), "host_of_another_municipality");
  EXPECT_EQ(hosts_.FindByToken("aa")->second.invitation->used->pem, "pem");
  EXPECT_EQ(hosts_.FindByToken("aa")->second.invitation->used->key, "key");
}

TEST_F(HostsTest, TheLedgersAgentsAreKnown) {
  hosts_.Know("srv1", "vik");
  EXPECT_EQ(Why("1", "fjord"), "host_of_another_municipality");
}

TEST_F(HostsTest, AfterARevocationOnlyNewCertificatesCount) {
  Invite("aa");
  Issue("aa", "1");
  Issue("", "2");
  EXPECT_EQ(Why("1"), "") << "an older one is good until it is revoked";
  Revoke();
  EXPECT_EQ(Why("1"), "revoked");
  EXPECT_EQ(Why("2"), "revoked");
  EXPECT_TRUE(hosts_.FindByToken("aa")->second.invitation->ended);
  Invite("bb");
  EXPECT_EQ(Why("2"), "revoked") << "an invitation alone changes nothing";
  Issue("bb", "3");
  EXPECT_EQ(Why("3"), "");
  EXPECT_EQ(Why("2"), "revoked");
  Issue("", "4");
  EXPECT_EQ(Why("3"), "");
  EXPECT_EQ(Why("4"), "");
  Revoke("fedcba9876543210");
  EXPECT_EQ(Why("4"), "revoked");
}

TEST_F(HostsTest, RememberedSerialsAreBoundedAndTheNewestStay) {
  Issue("aa", "0");
  Revoke();
  Issue("aa", "first");
  for (int i = 0; i < 500; ++i) Issue("", std::to_string(i));
  EXPECT_EQ(Why("499"), "");
  EXPECT_EQ(Why("first"), "revoked");
}

TEST_F(HostsTest, ARetiredHostIsOneForGood) {
  Issue("aa", "1");
  Apply(kAgentRetired, EndedBody("srv1", "0123456789abcdef", ""));
  EXPECT_EQ(Why("1"), "retired");
  Issue("bb", "2");
  EXPECT_EQ(Why("2"), "retired");
}

TEST_F(HostsTest, TheListCountsWhereTheLedgerHasForgotten) {
  Issue("aa", "1");
  Revoke("0123456789abcdef");
  Issue("bb", "2");
  // Known from its act: what came after stays.
  hosts_.Apply(HostEnd{"0123456789abcdef", kAt, false, "srv1"});
  EXPECT_EQ(Why("2"), "");
  hosts_.Apply(HostEnd{"00000000000000ff", kAt, false, "srv1"});
  EXPECT_EQ(Why("2"), "revoked");
  hosts_.Apply(HostEnd{"00000000000000fe", kAt, true, "srv1"});
  EXPECT_EQ(Why("2"), "retired");
}

TEST_F(HostsTest, ABodyThatIsNoneChangesNothingOfOthers) {
  Issue("aa", "1");
  for (const char* body : {"", "[]", "{", "{\"host\":1}", "\xFF"}) Apply(kAgentRevoked, body);
  EXPECT_EQ(Why("1"), "");
}

TEST(Revocations, AreDurableAndReadBack) {
  TempDir directory;
  const std::string path = directory.path() + "/revocations";
  auto list = Revocations::Open(path);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->all().empty());
  ASSERT_TRUE(list->Append({"0123456789abcdef", kAt, false, "srv1"}).ok());
  ASSERT_TRUE(list->Append({"fedcba9876543210", kAt + Millis(1), true, "srv2"}).ok());
  const auto again = Revocations::Open(path);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->all().size(), 2U);
  EXPECT_EQ(again->all()[0].host, "srv1");
  EXPECT_FALSE(again->all()[0].retired);
  EXPECT_TRUE(again->all()[1].retired);
  EXPECT_EQ(again->all()[1].at, kAt + Millis(1));
}

TEST(Revocations, AListThatCannotBeReadStopsTheCollector) {
  TempDir directory;
  const std::string path = directory.path() + "/revocations";
  for (const char* text : {"garbage\n", "0123456789abcdef 2026-07-03T10:00:00.000Z revoked\n",
                           "0123456789abcdef 2026-07-03T10:00:00.000Z forgiven srv1\n",
                           "0123456789abcdef yesterday revoked srv1\n",
                           "0123456789abcdef 2026-07-03T10:00:00.000Z revoked srv1 x\n"}) {
    std::ofstream(path) << text;
    const auto list = Revocations::Open(path);
    EXPECT_THAT(std::string(list.status().message()), HasSubstr(path + ":1:")) << text;
  }
}

TEST(Revocations, AFailedWriteIsTold) {
  TempDir directory;
  auto list = Revocations::Open(directory.path() + "/none/revocations");
  ASSERT_TRUE(list.ok());
  EXPECT_FALSE(list->Append({"0123456789abcdef", kAt, false, "srv1"}).ok());
  EXPECT_TRUE(list->all().empty());
}

}  // namespace
}  // namespace oppetid::collector
