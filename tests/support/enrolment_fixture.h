// A hub with people's acts, a CA and a list of revocations on disk, and no network.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/enrolment.h"
#include "collector/rollover.h"
#include "common/token.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::collector {

inline constexpr Millis kHour = std::chrono::hours(1);
inline constexpr Millis kDay = 24 * kHour;

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

}  // namespace oppetid::collector
