#include "collector/trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

constexpr Millis kLife = std::chrono::hours(24 * 30);

class TrustTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  TrustOptions Options() const {
    return {Path("ca.pem"),  Path("ca.key"), Path("server.pem"), Path("server.key"), names_,
            "oppetid.local", kLife};
  }
  std::unique_ptr<Trust> Open() { return Open(Options()); }
  std::unique_ptr<Trust> Open(const TrustOptions& options) {
    auto trust = Trust::Open(options, now_);
    EXPECT_TRUE(trust.ok()) << trust.status();
    return trust.ok() ? *std::move(trust) : nullptr;
  }
  std::string Why(const TrustOptions& options) {
    return std::string(Trust::Open(options, now_).status().message());
  }
  std::string Read(const std::string& name) const { return *ReadFile(Path(name)); }
  void Write(const std::string& name, const std::string& text, int mode = 0600) {
    ASSERT_TRUE(ReplaceFile(Path(name), text, mode).ok());
  }
  int Mode(const std::string& name) const {
    struct stat info {};
    return ::stat(Path(name).c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
  }
  static Instant ServerFrom(const Trust& trust) {
    return ReadCertificates(trust.server().certificate)[0].from;
  }

  TempDir directory_;
  Instant now_ = SystemClock().Now();
  std::vector<std::string> names_ = {"localhost", "127.0.0.1"};
};

TEST_F(TrustTest, MakesWhatIsMissingAndKeepsIt) {
  const auto trust = Open();
  ASSERT_NE(trust, nullptr);
  EXPECT_TRUE(trust->issues());
  EXPECT_EQ(Mode("ca.key"), 0600);
  EXPECT_EQ(Mode("server.key"), 0600);
  EXPECT_EQ(Mode("ca.pem"), 0644);
  EXPECT_THAT(trust->server().certificate, HasSubstr(trust->ca_pem()))
      << "the CA stands behind the server's certificate";
  const auto again = Open();
  EXPECT_EQ(again->ca_pem(), trust->ca_pem());
  EXPECT_EQ(again->server().certificate, trust->server().certificate);
  EXPECT_EQ(again->issuer().hash(), trust->issuer().hash());
}

TEST_F(TrustTest, VouchesForAgentsByTheirPublicKeyOnly) {
  const auto trust = Open();
  const PrivateKey key = PrivateKey::Make();
  const auto one = trust->Issue(key.public_key(), {"vik", "srv1"}, now_);
  const auto two = trust->Issue(key.public_key(), {"vik", "srv1"}, now_);
  ASSERT_TRUE(one.ok()) << one.status();
  const auto peer = trust->verifier().Verify(one->pem, now_);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->identity.municipality, "vik");
  EXPECT_EQ(peer->identity.host, "srv1");
  EXPECT_EQ(peer->serial, one->serial);
  EXPECT_EQ(peer->authority, trust->issuer().hash());
  EXPECT_EQ(peer->expires, one->expires);
  EXPECT_LT(peer->issued, now_) << "for clocks that differ";
  EXPECT_EQ(ToUnixMillis(one->expires) / 1000, ToUnixMillis(now_ + kLife) / 1000);
  EXPECT_EQ(ReadCertificates(one->pem)[0].public_key, key.public_key());
  EXPECT_NE(one->serial, two->serial);
  EXPECT_GE(one->serial.size(), 30U);
}

TEST_F(TrustTest, VouchesForNothingElse) {
  const auto trust = Open();
  const std::string key = PrivateKey::Make().public_key();
  EXPECT_FALSE(trust->Issue("garbage", {"vik", "srv1"}, now_).ok());
  EXPECT_FALSE(trust->Issue(key, {"vik", "srv1,DNS:evil"}, now_).ok());
  EXPECT_FALSE(trust->Issue(key, {"VIK", "srv1"}, now_).ok());
  // The server's own certificate makes nobody an agent.
  EXPECT_FALSE(trust->verifier().Verify(trust->server().certificate, now_).ok());
}

TEST_F(TrustTest, RefusesWhatItCannotRelyOn) {
  Open();
  const std::string ca = Read("ca.pem"), key = Read("ca.key");
  Write("ca.key", key, 0644);
  EXPECT_THAT(Why(Options()), HasSubstr("may be read by others"));
  Write("ca.key", PrivateKey::Make().ToPem());
  EXPECT_THAT(Why(Options()), HasSubstr("holds no P-256 key of a certificate"));
  ASSERT_EQ(::unlink(Path("ca.key").c_str()), 0);
  EXPECT_THAT(Why(Options()), HasSubstr("ca.key"));
  // A start that ended between the two files: the same key, so that tokens stay good.
  Write("ca.key", key);
  ASSERT_EQ(::unlink(Path("ca.pem").c_str()), 0);
  EXPECT_EQ(Open()->issuer().hash(), KeyHash(ReadCertificates(ca)[0].public_key));
}

TEST_F(TrustTest, RenewsTheServersCertificateFromHalfOfItsLife) {
  const auto trust = Open();
  const std::string first = trust->server().certificate;
  now_ += kLife / 2 - std::chrono::hours(24);
  EXPECT_FALSE(*trust->RenewServer(now_));
  now_ += std::chrono::hours(48);
  EXPECT_TRUE(*trust->RenewServer(now_));
  EXPECT_NE(trust->server().certificate, first);
  EXPECT_EQ(Read("server.pem"), trust->server().certificate);
  EXPECT_EQ(Read("server.key"), trust->server().key);
  EXPECT_FALSE(*trust->RenewServer(now_));
  names_.push_back("collector.example");
  const auto renamed = Open();
  EXPECT_THAT(ReadCertificates(renamed->server().certificate)[0].names,
              testing::ElementsAre("127.0.0.1", "collector.example", "localhost"));
}

TEST_F(TrustTest, ACrashBetweenTheFilesLeavesAPairThatFits) {
  const auto trust = Open();
  const ServerIdentity old = trust->server();
  // The new key is there, the new certificate is not.
  Write("server.key", PrivateKey::Make().ToPem() + old.key);
  auto read = Open();
  EXPECT_EQ(read->server().certificate, old.certificate);
  EXPECT_EQ(read->server().key, old.key);
  // Both are there, the old key still is.
  Write("server.key", old.key + PrivateKey::Make().ToPem());
  EXPECT_EQ(Open()->server().key, old.key);
  // Somebody has mixed them up: made anew.
  Write("server.key", PrivateKey::Make().ToPem());
  EXPECT_NE(Open()->server().certificate, old.certificate);
}

TEST_F(TrustTest, TakesAnExistingPkiAsItIs) {
  const TestCa ca;
  const TestCertificate one = ca.Issue(), two = ca.Issue();
  Write("ca.pem", ca.certificate());
  Write("server.pem", one.certificate);
  Write("server.key", one.key);
  TrustOptions options = Options();
  options.ca_key = "";
  const auto trust = Open(options);
  ASSERT_NE(trust, nullptr);
  EXPECT_FALSE(trust->issues());
  EXPECT_EQ(trust->server().certificate, one.certificate);
  EXPECT_FALSE(*trust->RenewServer(now_));
  // Somebody renews it.
  Write("server.pem", two.certificate);
  Write("server.key", two.key);
  EXPECT_TRUE(*trust->RenewServer(now_));
  EXPECT_EQ(trust->server().certificate, two.certificate);
  ASSERT_EQ(::unlink(Path("server.key").c_str()), 0);
  EXPECT_FALSE(trust->RenewServer(now_).ok());
  EXPECT_EQ(trust->server().certificate, two.certificate) << "what it had stays";
}

TEST_F(TrustTest, RollsOverInSteps) {
  auto trust = Open();
  const std::string old = trust->issuer().hash();
  const PrivateKey key = PrivateKey::Make();
  const auto before = trust->Issue(key.public_key(), {"vik", "srv1"}, now_);
  ASSERT_TRUE(trust->AddNext(now_).ok());
  ASSERT_NE(trust->next(), nullptr);
  const std::string next = trust->next()->hash();
  EXPECT_EQ(trust->issuer().hash(), old);
  trust = Open();
  ASSERT_NE(trust->next(), nullptr) << "a restart forgets nothing";
  EXPECT_EQ(trust->old()->hash(), old);
  EXPECT_EQ(trust->next()->hash(), next);
  EXPECT_EQ(trust->issuer().hash(), old);
  trust->IssueByNext();
  const auto after = trust->Issue(key.public_key(), {"vik", "srv1"}, now_);
  EXPECT_EQ(trust->verifier().Verify(before->pem, now_)->authority, old);
  EXPECT_EQ(trust->verifier().Verify(after->pem, now_)->authority, next);
  EXPECT_TRUE(*trust->RenewServer(now_)) << "the server's certificate too";
  ASSERT_TRUE(trust->Drop(old).ok());
  EXPECT_FALSE(trust->verifier().Verify(before->pem, now_).ok());
  EXPECT_TRUE(trust->verifier().Verify(after->pem, now_).ok());
  EXPECT_EQ(trust->next(), nullptr);
  trust = Open();
  EXPECT_EQ(trust->issuer().hash(), next);
  EXPECT_EQ(trust->authorities().size(), 1U);
  EXPECT_EQ(PrivateKey::ReadAll(Read("ca.key")).size(), 1U);
  ASSERT_TRUE(trust->Drop(next).ok());
  EXPECT_EQ(trust->authorities().size(), 1U) << "the last one stays";
}

}  // namespace
}  // namespace oppetid::collector
