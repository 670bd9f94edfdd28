#include "agent/renewal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace oppetid::agent {
namespace {

using testing::HasSubstr;

constexpr Millis kDay = std::chrono::hours(24);

// The agent's files, filled by a CA of the test's own that vouches for 30 days.
class RenewalTest : public testing::Test {
 protected:
  RenewalTest() {
    const TestCertificate first = Issue();
    Put(files_.ca, ca_.certificate());
    Put(files_.certificate, first.certificate);
    Put(files_.key, first.key);
    v1::Hello hello;
    renewal_.FillHello(&hello);
    renewal_.OnConnected(wall_, now_);
  }
  TestCertificate Issue() const {
    CertificateWish wish;
    wish.from = std::chrono::seconds(0);
    wish.until = std::chrono::hours(24 * 30);
    return ca_.Issue(wish);
  }
  static void Put(const std::string& path, const std::string& text, int mode = 0600) {
    ASSERT_TRUE(ReplaceFile(path, text, mode).ok());
  }
  std::string Why() const { return std::string(LoadCredentials(files_).status().message()); }
  void Advance(Millis by) {
    wall_ += by;
    now_ += by;
  }
  std::optional<v1::RenewalRequest> Due() { return renewal_.Due(now_); }

  TempDir directory_;
  TlsFiles files_{directory_.path() + "/ca.pem", directory_.path() + "/agent.pem",
                  directory_.path() + "/agent.key"};
  TestCa ca_;
  Instant wall_ = SystemClock().Now();
  Steady now_{std::chrono::hours(3)};
  Renewal renewal_{files_, [] { return uint64_t{0}; }};
};

TEST_F(RenewalTest, AsksFromHalfOfTheCertificatesLifeOn) {
  EXPECT_FALSE(Due());
  Advance(14 * kDay);
  EXPECT_FALSE(Due());
  EXPECT_LE(renewal_.Next(), now_ + kDay + Millis(2'000));
  Advance(kDay + Millis(2'000));
  const auto request = Due();
  ASSERT_TRUE(request);
  EXPECT_TRUE(CheckPublicKey(request->public_key()).ok());
  EXPECT_TRUE(Proves(request->public_key(), RenewMessage(request->public_key()), request->proof()));
  EXPECT_FALSE(Due()) << "once";
  Advance(kDay);
  const auto again = Due();
  ASSERT_TRUE(again) << "until it is answered";
  EXPECT_EQ(again->public_key(), request->public_key()) << "for the same key";
}

TEST_F(RenewalTest, PutsAnAnswerInForceAndConnectsAnew) {
  const auto before = LoadCredentials(files_);
  Advance(16 * kDay);
  const auto request = Due();
  ASSERT_TRUE(request);
  v1::Certificate answer;
  // Of a key that nobody asked for: nothing happens.
  answer.set_certificate_pem(Issue().certificate);
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_EQ(LoadCredentials(files_)->certificate, before->certificate);
  EXPECT_FALSE(renewal_.Reconnect(now_ + kDay));
  answer.set_certificate_pem(ca_.IssueFor(request->public_key(), {}).certificate);
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_EQ(LoadCredentials(files_)->facts.public_key, request->public_key());
  EXPECT_TRUE(renewal_.Reconnect(now_ + Millis(1)));
  Advance(kDay);
  EXPECT_FALSE(Due()) << "the new one is young";
}

TEST_F(RenewalTest, TrustsWhomTheCollectorNames) {
  const TestCa next("Next root");
  v1::Certificate answer;
  answer.set_ca_pem(ca_.certificate() + next.certificate());
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_TRUE(renewal_.Reconnect(now_));
  EXPECT_FALSE(renewal_.Reconnect(now_)) << "once";
  v1::Hello hello;
  renewal_.FillHello(&hello);
  EXPECT_EQ(hello.trusted_cas_size(), 2);
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_FALSE(renewal_.Reconnect(now_ + kDay)) << "nothing new";
  answer.set_ca_pem("garbage");
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_EQ(LoadCredentials(files_)->trusted_cas.size(), 2U) << "what it had stays";
}

TEST_F(RenewalTest, TellsOfTrustThatSomebodyElseHasWritten) {
  const std::string both = ca_.certificate() + TestCa("Next root").certificate();
  Put(files_.ca, both);
  v1::Certificate answer;
  answer.set_ca_pem(both);
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_TRUE(renewal_.Reconnect(now_)) << "the next Hello says it";
}

TEST_F(RenewalTest, AsksAtOnceWhenTold) {
  v1::Certificate answer;
  answer.set_renew(true);
  renewal_.OnCertificate(answer, wall_, now_);
  EXPECT_TRUE(Due());
}

TEST_F(RenewalTest, ACrashBetweenTheFilesLeavesAPairThatFits) {
  const std::string certificate = *ReadFile(files_.certificate), key = *ReadFile(files_.key);
  Put(files_.key, PrivateKey::Make().ToPem() + key);
  auto read = LoadCredentials(files_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(PrivateKey::ReadAll(read->key)[0].public_key(), read->facts.public_key);
  EXPECT_EQ(PrivateKey::ReadAll(read->key).size(), 1U);
}

TEST_F(RenewalTest, InstallsCertificateAndKeyTogether) {
  const PrivateKey key = PrivateKey::Make();
  EXPECT_FALSE(InstallCertificate(files_, Issue().certificate, key).ok()) << "of another key";
  const TestCertificate issued = Issue();
  const PrivateKey own = PrivateKey::ReadAll(issued.key)[0];
  ASSERT_TRUE(InstallCertificate(files_, issued.certificate, own, "# a note\n").ok());
  const auto read = LoadCredentials(files_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->certificate, "# a note\n" + issued.certificate);
  EXPECT_EQ(PrivateKey::ReadAll(*ReadFile(files_.key)).size(), 1U) << "the old key is gone";
  struct stat info {};
  ASSERT_EQ(::stat(files_.key.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_FALSE(InstallCa(files_, "").ok());
}

TEST_F(RenewalTest, SaysWhatIsMissing) {
  Put(files_.key, PrivateKey::Make().ToPem());
  EXPECT_THAT(Why(), HasSubstr("is not the key of"));
  Put(files_.key, "", 0644);
  EXPECT_THAT(Why(), HasSubstr("may be read by others"));
  ASSERT_EQ(::unlink(files_.certificate.c_str()), 0);
  EXPECT_THAT(Why(), HasSubstr("enrol this server first"));
}

}  // namespace
}  // namespace oppetid::agent
