#include "common/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "tests/support/test_ca.h"

namespace oppetid {
namespace {

using testing::HasSubstr;

constexpr char kDomain[] = "oppetid.local";
constexpr char kId[] = "spiffe://oppetid.local/municipality/vik/host/srv1";

CertificateWish Wish(const std::vector<std::string>& uris) {
  CertificateWish wish;
  wish.names = {"DNS:srv1.vik.example"};
  for (const std::string& uri : uris) wish.names.push_back("URI:" + uri);
  return wish;
}

class PeerVerifierTest : public testing::Test {
 protected:
  // Why a certificate is refused; empty when it is not.
  std::string Why(const std::string& pem) const { return Why(pem, SystemClock().Now()); }
  std::string Why(const std::string& pem, Instant now) const {
    const auto peer = verifier_.Verify(pem, now);
    if (peer.ok()) return "";
    EXPECT_TRUE(absl::IsUnauthenticated(peer.status())) << peer.status();
    return std::string(peer.status().message());
  }

  TestCa ca_;
  PeerVerifier verifier_ = *PeerVerifier::Make(ca_.certificate(), kDomain);
};

TEST_F(PeerVerifierTest, KnowsAPeerByItsCertificate) {
  CertificateWish wish = Wish({kId});
  wish.usage = "clientAuth";
  const Instant now = SystemClock().Now();
  const auto peer = verifier_.Verify(ca_.Issue(wish).certificate, now);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->identity.municipality, "vik");
  EXPECT_EQ(peer->identity.host, "srv1");
  EXPECT_FALSE(peer->serial.empty());
  EXPECT_NEAR(static_cast<double>(ToUnixMillis(peer->expires)),
              static_cast<double>(ToUnixMillis(now + wish.until)), 120'000);
}

TEST_F(PeerVerifierTest, TakesACertificateWithoutAStatedPurpose) {
  EXPECT_EQ(Why(ca_.Issue(Wish({kId})).certificate), "");
}

TEST_F(PeerVerifierTest, RefusesAnotherCa) {
  const TestCa other;  // of the same name, with a key of its own
  EXPECT_NE(Why(other.Issue(Wish({kId})).certificate), "");
  const TestCa stranger("Another root");
  EXPECT_THAT(Why(stranger.Issue(Wish({kId})).certificate), HasSubstr("unable to get"));
  EXPECT_NE(Why(SelfSigned(Wish({kId})).certificate), "");
}

TEST_F(PeerVerifierTest, TakesEitherCaDuringARollOver) {
  const TestCa next("Next root");
  const auto both = PeerVerifier::Make(ca_.certificate() + next.certificate(), kDomain);
  ASSERT_TRUE(both.ok()) << both.status();
  for (const TestCa* ca : {&std::as_const(ca_), &next}) {
    EXPECT_TRUE(both->Verify(ca->Issue(Wish({kId})).certificate, SystemClock().Now()).ok());
  }
}

TEST_F(PeerVerifierTest, FollowsIntermediates) {
  const TestCa intermediate = ca_.Intermediate("Intermediate");
  const std::string chain = intermediate.Issue(Wish({kId})).certificate;
  EXPECT_EQ(Why(chain), "");
  EXPECT_NE(Why(LeafOnly(chain)), "");
}

TEST_F(PeerVerifierTest, RefusesWhatIsNotValidNow) {
  CertificateWish wish = Wish({kId});
  wish.until = std::chrono::hours(-1);
  EXPECT_THAT(Why(ca_.Issue(wish).certificate), HasSubstr("expired"));
  wish = Wish({kId});
  wish.from = std::chrono::hours(1);
  EXPECT_THAT(Why(ca_.Issue(wish).certificate), HasSubstr("not yet valid"));
  const std::string good = ca_.Issue(Wish({kId})).certificate;
  const Instant now = SystemClock().Now();
  EXPECT_EQ(Why(good, now), "");
  EXPECT_THAT(Why(good, now + std::chrono::hours(24 * 91)), HasSubstr("expired"));
}

TEST_F(PeerVerifierTest, RefusesAServersCertificate) {
  CertificateWish wish = Wish({kId});
  wish.usage = "serverAuth";
  EXPECT_THAT(Why(ca_.Issue(wish).certificate), HasSubstr("purpose"));
}

TEST_F(PeerVerifierTest, WantsExactlyOneUri) {
  EXPECT_THAT(Why(ca_.Issue(Wish({})).certificate), HasSubstr("not a SPIFFE id"));
  EXPECT_THAT(Why(ca_.Issue(Wish({kId, kId})).certificate), HasSubstr("not a SPIFFE id"));
  EXPECT_THAT(Why(ca_.Issue(Wish({"https://vik.example/", kId})).certificate),
              HasSubstr("not a SPIFFE id"));
}

TEST_F(PeerVerifierTest, RefusesAnotherTrustDomain) {
  EXPECT_THAT(Why(ca_.Issue(Wish({"spiffe://other.local/municipality/vik/host/srv1"})).certificate),
              HasSubstr("of another trust domain"));
}

TEST_F(PeerVerifierTest, RefusesWhatIsNoCertificate) {
  EXPECT_THAT(Why(""), HasSubstr("no client certificate"));
  EXPECT_THAT(Why("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
              HasSubstr("no client certificate"));
  EXPECT_FALSE(PeerVerifier::Make("", kDomain).ok());
  EXPECT_FALSE(PeerVerifier::Make("no PEM", kDomain).ok());
}

TEST(SpiffeId, NamesMunicipalityAndHost) {
  const auto identity = ParseSpiffeId("spiffe://d/municipality/a-1.b/host/srv.x", "d");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->municipality, "a-1.b");
  EXPECT_EQ(identity->host, "srv.x");
}

TEST(SpiffeId, RefusesEverythingElse) {
  const std::string long_name(64, 'a');
  for (const std::string& uri : {
           std::string(),
           std::string("spiffe://"),
           std::string("spiffe://d"),
           std::string("spiffe://d/"),
           std::string("spiffe://dd/municipality/a/host/b"),
           std::string("spiffe://d/municipality/a"),
           std::string("spiffe://d/host/b"),
           std::string("spiffe://d/municipality/a/host/"),
           std::string("spiffe://d/municipality//host/b"),
           std::string("spiffe://d/municipality/a/host/b/"),
           std::string("spiffe://d/municipality/a/host/b/host/c"),
           std::string("spiffe://d/municipality/a/host/b?x=1"),
           std::string("spiffe://d/municipality/A/host/b"),
           std::string("spiffe://d/municipality/a/host/-b"),
           std::string("spiffe://d/municipality/a/host/b\0c", 35),
           std::string("spiffe://d/municipality/a/host/b%2e"),
           std::string("spiffe://d/municipality/../host/b"),
           std::string("SPIFFE://d/municipality/a/host/b"),
           std::string("spiffe://d/municipality/å/host/b"),
           "spiffe://d/municipality/a/host/" + long_name,
           "spiffe://d/municipality/" + long_name + "/host/b",
       }) {
    EXPECT_FALSE(ParseSpiffeId(uri, "d").ok()) << uri;
  }
}

}  // namespace
}  // namespace oppetid
