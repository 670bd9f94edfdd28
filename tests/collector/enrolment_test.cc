#include "collector/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/rollover.h"
#include "common/token.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {
namespace {

using testing::HasSubstr;

constexpr Millis kHour = std::chrono::hours(1);
constexpr Millis kDay = 24 * kHour;

// A hub with people's acts, a CA and a list on disk, and no network.
class EnrolmentTest : public HubFixture {
 protected:
  EnrolmentTest() {
    trust_ = *Trust::Open({Path("ca.pem"),
                           Path("ca.key"),
                           Path("server.pem"),
                           Path("server.key"),
                           {"localhost"},
                           "oppetid.local",
                           30 * kDay},
                          clock_.Now());
    list_.emplace(*Revocations::Open(Path("revocations")));
    Wire();
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  // As after a start: everything but files and ledger is new.
  void Wire() {
    Restart({});
    acts_.emplace(*hub_, clock_);
    hosts_.emplace();
    acts_->AddView([this](const Act& act) { hosts_->Apply(act); });
    rollover_.emplace(*hub_, *acts_, *hosts_, *trust_, clock_, [this] { ++changes_; });
    acts_->AddView([this](const Act& act) { rollover_->Apply(act); });
    enrolment_.emplace(*hub_, *acts_, *hosts_, *trust_, *list_, *rollover_, counters_, clock_,
                       "oppetid.local",
                       [this](const std::function<absl::Status()>& work,
                              const std::function<void(absl::Status)>& done) {
                         done(disk_.ok() ? work() : disk_);
                       });
    hub_->set_gate(&*enrolment_);
  }

  // What a step told, once the ledger has it; the error's words if it failed.
  std::string Told(const std::function<void(Enrolment::Told)>& step) {
    std::optional<std::string> told;
    step([&](const absl::StatusOr<std::string>& text) {
      told = text.ok() ? *text : std::string(text.status().message());
    });
    writer_.Drain();
    EXPECT_TRUE(told);
    return told.value_or("");
  }
  std::string Invite(const std::string& host = "srv1", const std::string& municipality = "vik") {
    return Told([&](Enrolment::Told done) {
      enrolment_->Invite({"root", ""}, {municipality, host}, kHour, std::move(done));
    });
  }
  std::string Reinvite(const std::string& host = "srv1") {
    return Told([&](Enrolment::Told done) {
      enrolment_->Reinvite({"root", ""}, host, kHour, std::move(done));
    });
  }
  std::string End(bool retired, const std::string& host = "srv1") {
    return Told([&](Enrolment::Told done) {
      enrolment_->End({"root", ""}, host, "because", retired, std::move(done));
    });
  }
  static v1::EnrolRequest Request(const std::string& text, const PrivateKey& key) {
    const Token token = *ParseToken(text);
    v1::EnrolRequest request;
    request.set_token_id(token.id);
    request.set_secret(token.secret);
    request.set_public_key(key.public_key());
    request.set_proof(key.Sign(EnrolMessage(token.id)));
    return request;
  }
  absl::StatusOr<v1::EnrolReply> Enrol(const v1::EnrolRequest& request) {
    absl::StatusOr<v1::EnrolReply> answer = absl::UnknownError("no answer");
    enrolment_->Enrol(request, "192.0.2.1", [&](const auto& reply) { answer = reply; });
    writer_.Drain();
    return answer;
  }
  std::string WhyNot(const v1::EnrolRequest& request) {
    return std::string(Enrol(request).status().message());
  }
  // A stream of the holder of this certificate, greeted or refused.
  Stream Hello(const std::string& certificate, const std::vector<std::string>& trusted = {}) {
    const auto peer = trust_->verifier().Verify(certificate, clock_.Now());
    EXPECT_TRUE(peer.ok()) << peer.status();
    const auto link = std::make_shared<FakeLink>();
    const Stream stream{hub_->Open(*peer, link), link};
    v1::AgentFrame frame = HelloFrame(++epoch_);
    for (const std::string& hash : trusted) frame.mutable_hello()->add_trusted_cas(hash);
    hub_->OnFrame(stream.id, frame);
    writer_.Drain();
    return stream;
  }
  static v1::AgentFrame RenewalFrame(const PrivateKey& key) {
    v1::AgentFrame frame;
    frame.mutable_renewal()->set_public_key(key.public_key());
    frame.mutable_renewal()->set_proof(key.Sign(RenewMessage(key.public_key())));
    return frame;
  }
  // The certificate that a stream was sent last; empty when there is none.
  static v1::Certificate LastCertificate(const Stream& stream) {
    for (auto it = stream.link->sent.rbegin(); it != stream.link->sent.rend(); ++it) {
      if (it->has_certificate()) return it->certificate();
    }
    return {};
  }
  void Renew(const Stream& stream, const PrivateKey& key) {
    hub_->OnFrame(stream.id, RenewalFrame(key));
    writer_.Drain();
  }
  void TickRollover() {
    clock_.Advance(Millis(1'001));
    rollover_->Tick();
    writer_.Drain();
  }
  std::string Finish() {
    return Told([&](Rollover::Told done) { rollover_->Finish({"root", ""}, std::move(done)); });
  }
  std::string Start() {
    return Told([&](Rollover::Told done) { rollover_->Start({"root", ""}, std::move(done)); });
  }

  TempDir directory_;
  std::unique_ptr<Trust> trust_;
  std::optional<Revocations> list_;
  std::optional<Acts> acts_;
  std::optional<Hosts> hosts_;
  std::optional<Rollover> rollover_;
  std::optional<Enrolment> enrolment_;
  absl::Status disk_;  // what becomes of the list's writes
  PrivateKey key_ = PrivateKey::Make();
  uint64_t epoch_ = 0;
  int changes_ = 0;
};

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

TEST_F(EnrolmentTest, AListThatCannotBeWrittenIsNoRevocation) {
  const auto reply = Enrol(Request(Invite(), key_));
  disk_ = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(End(false), "disk full");
  EXPECT_EQ(Hello(reply->certificate_pem()).link->Why(), "");
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
