// Certificates that are renewed, and a CA that is replaced, while agents live.
#include "tests/support/enrolment_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

TEST_F(EnrolmentTest, RenewsFromHalfOfTheLifeOn) {
  const auto reply = Enrol(Request(Invite(), key_));
  const PrivateKey next = PrivateKey::Make();
  const Stream young = Hello(reply->certificate_pem());
  Renew(young, next);
  EXPECT_EQ(LastCertificate(young).certificate_pem(), "");
  clock_.Advance(16 * kDay);
  const Stream stream = Hello(reply->certificate_pem());
  Renew(stream, next);
  const std::string renewed = LastCertificate(stream).certificate_pem();
  ASSERT_NE(renewed, "");
  EXPECT_EQ(ReadCertificates(renewed)[0].public_key, next.public_key());
  // Asked again, because the answer was lost: the same. With yet another key: not now.
  const size_t stored = writer_.stored.size();
  Renew(stream, next);
  EXPECT_EQ(LastCertificate(stream).certificate_pem(), renewed);
  Renew(stream, PrivateKey::Make());
  EXPECT_EQ(LastCertificate(stream).certificate_pem(), renewed);
  EXPECT_EQ(writer_.stored.size(), stored);
  clock_.Advance(15 * kDay);
  EXPECT_EQ(Hello(renewed).link->Why(), "") << "when the first has expired";
}

TEST_F(EnrolmentTest, RenewsOnlyForWhoHoldsTheKey) {
  const auto reply = Enrol(Request(Invite(), key_));
  clock_.Advance(16 * kDay);
  const Stream stream = Hello(reply->certificate_pem());
  v1::AgentFrame frame = RenewalFrame(PrivateKey::Make());
  frame.mutable_renewal()->set_public_key(PrivateKey::Make().public_key());
  hub_->OnFrame(stream.id, frame);
  frame.mutable_renewal()->set_public_key("garbage");
  hub_->OnFrame(stream.id, frame);
  writer_.Drain();
  EXPECT_EQ(LastCertificate(stream).certificate_pem(), "");
  EXPECT_EQ(Counted("renewal"), "2");
}

TEST_F(EnrolmentTest, ARenewalAfterARevocationIsNone) {
  const auto reply = Enrol(Request(Invite(), key_));
  clock_.Advance(16 * kDay);
  const Stream stream = Hello(reply->certificate_pem());
  // The request waits for its turn behind the revocation.
  enrolment_->End({"root", ""}, "srv1", "stolen", false, [](const auto&) {});
  hub_->OnFrame(stream.id, RenewalFrame(PrivateKey::Make()));
  writer_.Drain();
  EXPECT_EQ(LastCertificate(stream).certificate_pem(), "");
  EXPECT_EQ(hosts_->Find("srv1")->newest->pem, reply->certificate_pem());
}

TEST_F(EnrolmentTest, RollsOverWithoutCuttingOffALivingAgent) {
  const std::string old = trust_->issuer().hash();
  const auto one = Enrol(Request(Invite("srv1"), key_));
  const auto two = Enrol(Request(Invite("srv2"), PrivateKey::Make()));
  const Stream first = Hello(one->certificate_pem(), {old});
  EXPECT_THAT(Finish(), HasSubstr("no roll-over is under way"));
  EXPECT_THAT(Start(), HasSubstr("started"));
  EXPECT_THAT(Start(), HasSubstr("a roll-over is under way"));
  const std::string next = trust_->next()->hash();
  EXPECT_EQ(changes_, 1) << "the server trusts both from now on";
  EXPECT_EQ(LastCertificate(first).ca_pem(), trust_->ca_pem()) << "and agents are told";
  TickRollover();
  EXPECT_EQ(trust_->issuer().hash(), old);
  EXPECT_THAT(Finish(), testing::AllOf(HasSubstr("srv1 (does not trust the new CA yet)"),
                                       HasSubstr("srv2 (not connected since")));
  Hello(one->certificate_pem(), {old, next});
  TickRollover();
  EXPECT_EQ(trust_->issuer().hash(), old) << "srv2 is not heard of";
  const Stream second = Hello(two->certificate_pem(), {old, next});
  TickRollover();
  EXPECT_EQ(trust_->issuer().hash(), next);
  EXPECT_TRUE(LastCertificate(second).renew());
  EXPECT_THAT(Finish(), HasSubstr("srv1 (has a certificate of the old CA)"));
  // One renews, whatever is left of the old one; the other is retired.
  const PrivateKey key = PrivateKey::Make();
  Renew(second, key);
  const std::string renewed = LastCertificate(second).certificate_pem();
  EXPECT_EQ(trust_->verifier().Verify(renewed, clock_.Now())->authority, next);
  const Stream third = Hello(renewed, {old, next});
  End(/*retired=*/true, "srv1");
  EXPECT_THAT(Finish(), HasSubstr("finished"));
  EXPECT_EQ(LastCertificate(third).ca_pem(), trust_->ca_pem()) << "the old one is gone from it";
  EXPECT_FALSE(trust_->verifier().Verify(two->certificate_pem(), clock_.Now()).ok());
  EXPECT_THAT(rollover_->StatusJson(),
              HasSubstr("{\"state\":\"none\",\"cas\":[{\"hash\":\"" + next));
}

TEST_F(EnrolmentTest, ARollOverThatIsNotRecordedHasNotHappened) {
  std::string why;
  rollover_->Start({"root", ""},
                   [&](const auto& told) { why = std::string(told.status().message()); });
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(why, "disk full");
  EXPECT_EQ(trust_->next(), nullptr);
  EXPECT_EQ(ReadCertificates(trust_->ca_pem()).size(), 1U);
}

TEST_F(EnrolmentTest, ALongLostAgentHoldsNothingUp) {
  const auto reply = Enrol(Request(Invite(), key_));
  const Stream stream = Hello(reply->certificate_pem(), {trust_->issuer().hash()});
  hub_->OnClosed(stream.id);
  EXPECT_THAT(Start(), HasSubstr("started"));
  TickRollover();
  EXPECT_NE(trust_->issuer().hash(), trust_->next()->hash());
  clock_.Advance(31 * kDay);
  TickRollover();
  EXPECT_EQ(trust_->issuer().hash(), trust_->next()->hash());
}

}  // namespace
}  // namespace oppetid::collector
