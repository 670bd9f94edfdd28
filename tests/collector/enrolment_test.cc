#include "tests/support/enrolment_fixture.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

TEST_F(EnrolmentTest, ATokenGivesACertificateOnce) {
  const std::string token = Invite();
  const auto reply = Enrol(Request(token, key_));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->host(), "srv1");
  EXPECT_EQ(reply->municipality(), "vik");
  EXPECT_EQ(reply->trust_domain(), "oppetid.local");
  EXPECT_EQ(reply->ca_pem(), trust_->ca_pem());
  EXPECT_TRUE(Hello(reply->certificate_pem()).link->Why().empty());
  // The answer was lost: the same again, and nothing is recorded twice.
  const size_t stored = writer_.stored.size();
  EXPECT_EQ(Enrol(Request(token, key_))->certificate_pem(), reply->certificate_pem());
  EXPECT_EQ(writer_.stored.size(), stored);
  EXPECT_THAT(WhyNot(Request(token, PrivateKey::Make())), HasSubstr("used, with another key"));
}

TEST_F(EnrolmentTest, TheSecretIsWrittenNowhere) {
  const Token token = *ParseToken(Invite());
  ASSERT_EQ(writer_.stored.size(), 1U);
  const std::string& body = writer_.stored[0].acts[0].body;
  EXPECT_THAT(body, HasSubstr(token.id));
  EXPECT_THAT(body, HasSubstr(ToHex(Sha256(token.secret))));
  EXPECT_THAT(body, testing::Not(HasSubstr(ToHex(token.secret))));
}

TEST_F(EnrolmentTest, TwoRequestsAtOnceGiveOneCertificate) {
  const v1::EnrolRequest request = Request(Invite(), key_);
  std::vector<std::string> answers;
  const auto note = [&](const absl::StatusOr<v1::EnrolReply>& reply) {
    answers.push_back(reply.ok() ? reply->certificate_pem() : "");
  };
  enrolment_->Enrol(request, "a", note);
  enrolment_->Enrol(request, "a", note);
  writer_.Drain();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_NE(answers[0], "");
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_F(EnrolmentTest, RefusesWhatIsNotGoodAndSaysWhy) {
  const v1::EnrolRequest good = Request(Invite(), key_);
  v1::EnrolRequest request = good;
  request.set_token_id("x");
  EXPECT_THAT(WhyNot(request), HasSubstr("no request of oppetid-agent"));
  request.set_token_id("0000000000000000");
  EXPECT_THAT(WhyNot(request), HasSubstr("no such invitation"));
  request = good;
  request.set_secret(std::string(16, '\0'));
  EXPECT_THAT(WhyNot(request), HasSubstr("secret is wrong"));
  request.set_secret("");
  EXPECT_THAT(WhyNot(request), HasSubstr("secret is wrong"));
  request = good;
  request.set_public_key("garbage");
  EXPECT_THAT(WhyNot(request), HasSubstr("P-256"));
  request.set_public_key(PrivateKey::Make().public_key());
  EXPECT_THAT(WhyNot(request), HasSubstr("proof"));
  EXPECT_TRUE(Enrol(good).ok()) << "four failures do not end an invitation";
  EXPECT_EQ(Counted("enrolment"), "6");
}

TEST_F(EnrolmentTest, AnInvitationExpires) {
  const v1::EnrolRequest request = Request(Invite(), key_);
  clock_.Advance(kHour);
  EXPECT_THAT(WhyNot(request), HasSubstr("the invitation expired at 2026-07-03T11:00:00.000Z"));
}

TEST_F(EnrolmentTest, AttemptsAreLimitedPerTokenAndOverall) {
  const v1::EnrolRequest good = Request(Invite(), key_);
  v1::EnrolRequest bad = good;
  bad.set_secret("0123456789abcdef");
  for (int i = 0; i < 5; ++i) EXPECT_THAT(WhyNot(bad), HasSubstr("secret is wrong"));
  EXPECT_THAT(WhyNot(good), HasSubstr("too many attempts"));
  // Strangers who guess do not keep others out.
  const v1::EnrolRequest other = Request(Invite("srv2"), PrivateKey::Make());
  v1::EnrolRequest stranger = good;
  stranger.set_token_id("0000000000000000");
  for (int i = 0; i < 100; ++i) EXPECT_THAT(WhyNot(stranger), HasSubstr("no such invitation"));
  EXPECT_THAT(WhyNot(stranger), HasSubstr("too many attempts"));
  EXPECT_TRUE(Enrol(other).ok());
  clock_.Advance(Millis(60'001));
  EXPECT_THAT(WhyNot(stranger), HasSubstr("no such invitation"));
  EXPECT_TRUE(Enrol(good).ok());
  EXPECT_EQ(Counted("enrolment_rate"), "2");
}

TEST_F(EnrolmentTest, AHostNameIsGivenOnce) {
  Invite("srv1", "vik");
  const std::string token = Invite("srv1", "fjord");
  EXPECT_EQ(Enrol(Request(token, key_))->municipality(), "fjord")
      << "nothing was enrolled yet: the newer invitation counts";
  EXPECT_THAT(Invite("srv1", "vik"), HasSubstr("there is a host srv1 of fjord already"));
  EXPECT_THAT(Invite("Srv1", "vik"), HasSubstr("1 to 63"));
  EXPECT_THAT(Reinvite("srv7"), HasSubstr("no host srv7"));
  EXPECT_THAT(Told([&](Enrolment::Told done) {
                enrolment_->Invite({"root", ""}, {"vik", "x"}, Millis(1), std::move(done));
              }),
              HasSubstr("an invitation lives from 1m to 1w"));
}

// After the start of a ledger that is older than the host: it is invited for somebody else, and
// then it comes back.
TEST_F(EnrolmentTest, AnInvitationGivesNobodyAHostOfAnotherMunicipality) {
  const auto vik = Enrol(Request(Invite("srv1", "vik"), key_));
  Wire();
  const std::string token = Invite("srv1", "fjord");
  EXPECT_EQ(Hello(vik->certificate_pem()).link->Why(), "");
  EXPECT_THAT(WhyNot(Request(token, PrivateKey::Make())), HasSubstr("no such invitation"));
}

TEST_F(EnrolmentTest, NothingIsIssuedThatTheLedgerDoesNotHave) {
  const v1::EnrolRequest request = Request(Invite(), key_);
  std::string why;
  enrolment_->Enrol(request, "a",
                    [&](const auto& reply) { why = std::string(reply.status().message()); });
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(why, "disk full");
  EXPECT_TRUE(Enrol(request).ok());
}

TEST_F(EnrolmentTest, ARevocationEndsStreamsAtOnceAndHolds) {
  const auto reply = Enrol(Request(Invite(), key_));
  const Stream greeted = Hello(reply->certificate_pem());
  const auto silent = std::make_shared<FakeLink>();
  hub_->Open(*trust_->verifier().Verify(reply->certificate_pem(), clock_.Now()), silent);
  const std::string open = Reinvite();
  EXPECT_EQ(End(/*retired=*/false), "srv1 is revoked\n");
  EXPECT_EQ(greeted.link->Why(), "revoked");
  EXPECT_EQ(silent->Why(), "revoked") << "also one that has not said Hello";
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "refused: revoked");
  EXPECT_THAT(WhyNot(Request(open, PrivateKey::Make())), HasSubstr("srv1 is revoked"))
      << "an invitation that was open would undo it";
  const auto again = Enrol(Request(Reinvite(), PrivateKey::Make()));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Hello(again->certificate_pem()).link->Why(), "");
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "refused: revoked");
}

TEST_F(EnrolmentTest, ARevocationHoldsWithoutTheLedger) {
  const auto reply = Enrol(Request(Invite(), key_));
  std::string told;
  enrolment_->End({"root", ""}, "srv1", "stolen", false,
                  [&](const auto& text) { told = std::string(text.status().message()); });
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  EXPECT_THAT(told, HasSubstr("refused from now on, but the ledger could not record it"));
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "refused: revoked");
  // A start with a ledger that knows neither host nor revocation.
  list_.emplace(*Revocations::Open(Path("revocations")));
  Wire();
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "");
  Wire();
  for (const HostEnd& one : list_->all()) hosts_->Apply(one);
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "refused: revoked");
  EXPECT_THAT(Invite(), HasSubstr("oppetid_")) << "and it can be invited anew";
}

TEST_F(EnrolmentTest, WhatOnlyTheListKnowsIsRecordedBeforeANewInvitation) {
  std::vector<Act> chain;
  acts_->AddView([&](const Act& act) { chain.push_back(act); });
  ASSERT_TRUE(Enrol(Request(Invite(), key_)).ok());
  enrolment_->End({"root", ""}, "srv1", "stolen", false, [](const auto&) {});
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  const auto again = Enrol(Request(Reinvite(), PrivateKey::Make()));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Hello(again->certificate_pem()).link->Why(), "");
  // The next start: what the chain has, then the list.
  Wire();
  for (const Act& act : chain) hosts_->Apply(act);
  for (const HostEnd& one : list_->all()) hosts_->Apply(one);
  EXPECT_EQ(Hello(again->certificate_pem()).link->Why(), "")
      << "the revocation was before the invitation, not after it";
}

TEST_F(EnrolmentTest, NobodyIsInvitedBeforeTheChainHasTheRevocation) {
  ASSERT_TRUE(Enrol(Request(Invite(), key_)).ok());
  enrolment_->End({"root", ""}, "srv1", "stolen", false, [](const auto&) {});
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  std::string told;
  enrolment_->Reinvite({"root", ""}, "srv1", kHour,
                       [&](const auto& text) { told = std::string(text.status().message()); });
  writer_.Complete(absl::ResourceExhaustedError("disk full"));
  writer_.Drain();
  EXPECT_THAT(told, HasSubstr("srv1 was revoked, which the ledger could not record"));
}

TEST_F(EnrolmentTest, AListThatCannotBeWrittenIsNoRevocation) {
  const auto reply = Enrol(Request(Invite(), key_));
  disk_ = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(End(false), "disk full");
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "");
}

TEST_F(EnrolmentTest, WhoIsEnrolledIsInTheViewsBeforeItIsSeen) {
  ASSERT_TRUE(Enrol(Request(Invite(), key_)).ok());
  clock_.Advance(kHour);
  const auto view = hub_->MakeView();
  ASSERT_EQ(view->agents.size(), 1U);
  EXPECT_EQ(view->agents[0]->municipality, "vik");
  EXPECT_EQ(view->agents[0]->host, "srv1");
  EXPECT_FALSE(view->agents[0]->last_seen);
  EXPECT_FALSE(view->agents[0]->up) << "nobody is woken by what has never been there";
}

TEST_F(EnrolmentTest, ARetiredHostIsInNoView) {
  Hello(Enrol(Request(Invite(), key_))->certificate_pem());
  ASSERT_EQ(hub_->MakeView()->agents.size(), 1U);
  EXPECT_EQ(End(/*retired=*/true), "srv1 is retired\n");
  EXPECT_TRUE(hub_->MakeView()->agents.empty());
  EXPECT_THAT(Reinvite(), HasSubstr("srv1 is retired"));
  EXPECT_THAT(End(true), HasSubstr("retired already"));
  EXPECT_THAT(End(true, "nobody"), HasSubstr("no host nobody"));
}

}  // namespace
}  // namespace oppetid::collector
