#include "common/pki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/openssl.h"
#include "common/token.h"
#include "tests/support/test_ca.h"

namespace oppetid {
namespace {

using testing::HasSubstr;

// SubjectPublicKeyInfo of a key of another kind.
std::string PublicKeyOf(const KeyPtr& key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

TEST(PrivateKey, IsTheSameAfterPem) {
  const PrivateKey key = PrivateKey::Make();
  const auto read = PrivateKey::ReadAll("a line before\n" + key.ToPem());
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].public_key(), key.public_key());
  EXPECT_NE(PrivateKey::Make().public_key(), key.public_key());
}

TEST(PrivateKey, ReadsSeveralAndPassesOthersBy) {
  const PrivateKey one = PrivateKey::Make(), two = PrivateKey::Make();
  const auto read = PrivateKey::ReadAll(one.ToPem() + TestCa().certificate() + two.ToPem());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[1].public_key(), two.public_key());
  EXPECT_TRUE(PrivateKey::ReadAll("").empty());
  EXPECT_TRUE(PrivateKey::ReadAll("-----BEGIN PRIVATE KEY-----\nAAAA\n").empty());
}

TEST(PublicKey, IsOnOurCurveAndNothingBesides) {
  const std::string good = PrivateKey::Make().public_key();
  EXPECT_TRUE(CheckPublicKey(good).ok());
  EXPECT_FALSE(CheckPublicKey("").ok());
  EXPECT_FALSE(CheckPublicKey("garbage").ok());
  EXPECT_FALSE(CheckPublicKey(good + "x").ok());
  EXPECT_FALSE(CheckPublicKey(good.substr(0, good.size() - 1)).ok());
  std::string off_the_curve = good;
  off_the_curve.back() = static_cast<char>(off_the_curve.back() ^ 1);
  EXPECT_FALSE(CheckPublicKey(off_the_curve).ok());
  EXPECT_FALSE(CheckPublicKey(PublicKeyOf(KeyPtr(EVP_EC_gen("P-384")))).ok());
  EXPECT_FALSE(CheckPublicKey(PublicKeyOf(KeyPtr(EVP_RSA_gen(1024)))).ok());
}

TEST(Proof, IsByTheKeyForTheMessage) {
  const PrivateKey key = PrivateKey::Make();
  const std::string proof = key.Sign(EnrolMessage("0123456789abcdef"));
  EXPECT_TRUE(Proves(key.public_key(), "oppetid enrol 0123456789abcdef", proof));
  EXPECT_FALSE(Proves(key.public_key(), EnrolMessage("0123456789abcdee"), proof));
  EXPECT_FALSE(Proves(PrivateKey::Make().public_key(), EnrolMessage("0123456789abcdef"), proof));
  EXPECT_FALSE(Proves("", EnrolMessage("0123456789abcdef"), proof));
  EXPECT_FALSE(Proves(key.public_key(), EnrolMessage("0123456789abcdef"), ""));
  EXPECT_FALSE(Proves(key.public_key(), EnrolMessage("0123456789abcdef"), std::string(300, 'x')));
  EXPECT_NE(RenewMessage("x"), EnrolMessage("x")) << "one proof is not good for the other";
}

TEST(Secret, ComparesWhole) {
  EXPECT_TRUE(SameSecret("abc", "abc"));
  EXPECT_FALSE(SameSecret("abc", "abd"));
  EXPECT_FALSE(SameSecret("abc", "ab"));
  EXPECT_FALSE(SameSecret("abc", ""));
}

TEST(CertificateFacts, HasNamesAndDates) {
  const TestCa ca;
  CertificateWish wish;
  wish.names = {"DNS:b.example", "IP:127.0.0.1", "IP:::1", "URI:spiffe://d/x", "DNS:a.example"};
  const auto read = ReadCertificates("# a note\n" + ca.Issue(wish).certificate + ca.certificate());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_THAT(read[0].names, testing::ElementsAre("127.0.0.1", "::1", "a.example", "b.example"));
  EXPECT_EQ(read[0].uri, "spiffe://d/x");
  EXPECT_LT(read[0].from, read[0].until);
  EXPECT_FALSE(read[0].serial.empty());
  EXPECT_EQ(read[1].pem, ca.certificate());
  EXPECT_EQ(KeyHash(read[1].public_key).size(), 64U);
  EXPECT_TRUE(ReadCertificates("nothing").empty());
}

TEST(Token, IsOneWordThatReadsBack) {
  const Token token = MakeToken(std::string(64, 'a'));
  const std::string text = FormatToken(token);
  EXPECT_EQ(text.find_first_of(" \n\t-"), std::string::npos);
  const auto read = ParseToken("  " + text + "\r\n");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, token.id);
  EXPECT_EQ(read->secret, token.secret);
  EXPECT_EQ(read->secret.size(), 16U);
  EXPECT_EQ(read->ca, token.ca);
  EXPECT_TRUE(IsTokenId(token.id));
  EXPECT_NE(MakeToken("").secret, token.secret);
}

TEST(Token, RefusesWithoutRepeatingIt) {
  const std::string good = FormatToken(MakeToken(std::string(64, 'a')));
  std::string upper = good, cut = good.substr(0, 60), joined = good;
  upper[10] = 'F';
  joined[24] = 'a';
  for (const std::string& bad :
       {std::string(), std::string("hunter2"), cut, good + "a", upper, joined, " " + cut}) {
    const auto token = ParseToken(bad);
    ASSERT_FALSE(token.ok()) << bad;
    if (bad.size() > 5) {
      EXPECT_THAT(std::string(token.status().message()), testing::Not(HasSubstr(bad.substr(0, 12))))
          << bad;
    }
  }
}

}  // namespace
}  // namespace oppetid
