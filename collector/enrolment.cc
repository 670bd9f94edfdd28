#include "collector/enrolment.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/rollover.h"
#include "common/log.h"
#include "common/text.h"
#include "common/token.h"

namespace oppetid::collector {
namespace {

constexpr Millis kMinTtl = std::chrono::minutes(1);
constexpr Millis kMaxTtl = std::chrono::hours(24 * 7);
// Attempts with a token that exists, and with tokens that do not, that may fail in a minute.
constexpr size_t kFailuresPerToken = 5;
constexpr size_t kFailures = 100;
constexpr Millis kFailureWindow{60'000};
// A certificate may be renewed from half of its life on; this part of it earlier is no fault.
constexpr int kEarlyPart = 20;
// One more in this part of its life; a key that was lost on the way is made up for.
constexpr int kAgainPart = 50;
constexpr size_t kMaxReason = 200;

void Forget(std::deque<Steady>* failures, Steady now) {
  while (!failures->empty() && now - failures->front() > kFailureWindow) failures->pop_front();
}

absl::Status Ended(const std::string& name, const Host& host) {
  return absl::PermissionDeniedError(
      host.retired
          ? absl::StrCat(name, " is retired: it is no host of this collector any more")
          : absl::StrCat(name, " is revoked; a new invitation: oppetid agent reinvite ", name));
}

}  // namespace

Enrolment::Enrolment(Hub& hub, Acts& acts, Hosts& hosts, Trust& trust, Revocations& revocations,
                     Rollover& rollover, Counters& counters, const Clock& clock,
                     std::string trust_domain, Elsewhere elsewhere)
    : hub_(hub),
      acts_(acts),
      hosts_(hosts),
      trust_(trust),
      revocations_(revocations),
      rollover_(rollover),
      counters_(counters),
      clock_(clock),
      trust_domain_(std::move(trust_domain)),
      elsewhere_(std::move(elsewhere)) {}

void Enrolment::Invite(Caller caller, Identity identity, Millis ttl, Told done) {
  const std::string host = identity.host;
  if (!IsId(identity.host) || !IsId(identity.municipality)) {
    return done(absl::InvalidArgumentError(
        "municipality and host are 1 to 63 of a-z, 0-9, - and ., first and last no - or ."));
  }
  Record(
      std::move(caller), host, ttl,
      [this, identity = std::move(identity)]() -> absl::StatusOr<std::string> {
        const Host* known = hosts_.Find(identity.host);
        if (known != nullptr && known->enrolled) {
          return absl::AlreadyExistsError(absl::StrCat(
              "there is a host ", identity.host, " of ", known->municipality,
              " already; for a new certificate: oppetid agent reinvite ", identity.host));
        }
        return identity.municipality;
      },
      std::move(done));
}

void Enrolment::Reinvite(Caller caller, const std::string& host, Millis ttl, Told done) {
  Record(
      std::move(caller), host, ttl,
      [this, host]() -> absl::StatusOr<std::string> {
        const Host* known = hosts_.Find(host);
        if (known == nullptr || known->municipality.empty()) {
          return absl::NotFoundError(
              absl::StrCat("no host ", host, "; for a new one: oppetid agent invite"));
        }
        return known->municipality;
      },
      std::move(done));
}

void Enrolment::Record(Caller caller, const std::string& host, Millis ttl,
                       std::function<absl::StatusOr<std::string>()> municipality, Told done) {
  if (!trust_.issues()) {
    return done(absl::FailedPreconditionError(
        "this collector does not enrol: its certificates come from an existing PKI (tls.ca_key is "
        "not configured)"));
  }
  if (ttl < kMinTtl || ttl > kMaxTtl) {
    return done(absl::InvalidArgumentError(absl::StrCat(
        "an invitation lives from ", FormatDuration(kMinTtl), " to ", FormatDuration(kMaxTtl))));
  }
  // In the chain a revocation must stand before what undoes it, or the list would end the host
  // again at every start. It does not where the ledger was restored from before, or could not be
  // written.
  RecordListed(host);
  const Token token = MakeToken(trust_.issuer().hash());
  acts_.Record(
      std::move(caller),
      [=, this](uint64_t, Instant at) -> absl::StatusOr<Acts::Draft> {
        const Host* known = hosts_.Find(host);
        if (known != nullptr && known->retired) {
          return absl::FailedPreconditionError(
              absl::StrCat(host, " is retired; its name is not given again"));
        }
        if (known != nullptr && !known->unrecorded.empty()) {
          return absl::UnavailableError(
              absl::StrCat(host, " was revoked, which the ledger could not record; try again"));
        }
        auto whose = municipality();
        if (!whose.ok()) return whose.status();
        return Acts::Draft{
            kAgentInvited,
            InvitedBody(host, *whose, {token.id, KeyHash(token.secret), at + ttl, false, {}})};
      },
      [token, done = std::move(done)](const absl::StatusOr<Act>& act) {
        if (!act.ok()) return done(act.status());
        done(FormatToken(token) + "\n");
      });
}

void Enrolment::RecordListed(const std::string& host) {
  const Host* known = hosts_.Find(host);
  if (known == nullptr || known->retired) return;
  for (const HostEnd& one : std::vector<HostEnd>(known->unrecorded)) {
    acts_.Record(
        {"collector", ""},
        [this, one](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
          const auto& left = hosts_.Find(one.host)->unrecorded;
          if (std::none_of(left.begin(), left.end(),
                           [&](const HostEnd& other) { return other.id == one.id; })) {
            return absl::AlreadyExistsError("recorded meanwhile");
          }
          return Acts::Draft{kAgentRevoked,
                             EndedBody(one.host, one.id,
                                       "revoked at " + FormatInstant(one.at) +
                                           ", as the list beside the ledger has it")};
        },
        [](const absl::StatusOr<Act>&) {});  // the invitation, which comes next, looks
  }
}

void Enrolment::End(Caller caller, const std::string& host, const std::string& reason, bool retired,
                    Told done) {
  const Host* known = hosts_.Find(host);
  if (known == nullptr) return done(absl::NotFoundError("no host " + OneLine(host, 63)));
  if (known->retired) return done(absl::FailedPreconditionError(host + " is retired already"));
  const HostEnd revocation{ToHex(RandomBytes(8)), clock_.Now(), retired, host};
  // First the list, so that it holds whatever becomes of the ledger.
  elsewhere_([this, revocation] { return revocations_.Append(revocation); },
             [=, this, caller = std::move(caller),
              done = std::move(done)](const absl::Status& listed) mutable {
               if (!listed.ok()) return done(listed);
               hosts_.Apply(revocation);
               if (retired) hub_.Retire(host);
               counters_.Reject("revoked", host, retired ? "retired now" : "revoked now");
               hub_.EndStreams(host, absl::PermissionDeniedError(retired ? "retired" : "revoked"));
               acts_.Record(
                   std::move(caller),
                   [=](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
                     return Acts::Draft{
                         retired ? kAgentRetired : kAgentRevoked,
                         EndedBody(host, revocation.id, OneLine(reason, kMaxReason))};
                   },
                   [=](const absl::StatusOr<Act>& act) {
                     if (act.ok())
                       return done(host + (retired ? " is retired\n" : " is revoked\n"));
                     done(absl::Status(act.status().code(),
                                       absl::StrCat(host,
                                                    " is refused from now on, but the ledger could "
                                                    "not record it: ",
                                                    act.status().message())));
                   });
             });
}

bool Enrolment::MayAttempt(const std::string& token, Steady now) {
  Forget(&failures_, now);
  // What is over is forgotten for all tokens, also for those that are gone.
  for (auto it = by_token_.begin(); it != by_token_.end();) {
    Forget(&it->second, now);
    it = it->second.empty() ? by_token_.erase(it) : std::next(it);
  }
  if (hosts_.FindByToken(token) == nullptr) return failures_.size() < kFailures;
  const auto failed = by_token_.find(token);
  return failed == by_token_.end() || failed->second.size() < kFailuresPerToken;
}

void Enrolment::NoteFailure(const std::string& token, Steady now) {
  const bool exists = hosts_.FindByToken(token) != nullptr;
  (exists ? by_token_[token] : failures_).push_back(now);
}

absl::Status Enrolment::CheckEnrol(const v1::EnrolRequest& request) const {
  const auto* found = hosts_.FindByToken(request.token_id());
  if (found == nullptr) {
    return absl::NotFoundError(
        "no such invitation, or a newer one took its place; make one on the collector: oppetid "
        "agent invite");
  }
  const auto& [name, host] = *found;
  const Invitation& invitation = *host.invitation;
  if (!SameSecret(KeyHash(request.secret()), invitation.secret_hash)) {
    return absl::PermissionDeniedError("the token's secret is wrong; copy the whole token");
  }
  if (invitation.ended) return Ended(name, host);
  if (clock_.Now() >= invitation.expires) {
    return absl::FailedPreconditionError(absl::StrCat("the invitation expired at ",
                                                      FormatInstant(invitation.expires),
                                                      "; make a new one on the collector"));
  }
  if (auto status = CheckPublicKey(request.public_key()); !status.ok()) return status;
  if (!Proves(request.public_key(), EnrolMessage(request.token_id()), request.proof())) {
    return absl::PermissionDeniedError("the proof was not made with the key it is for");
  }
  if (invitation.used && invitation.used->key != KeyHash(request.public_key())) {
    return absl::FailedPreconditionError(
        absl::StrCat("this token has been used, with another key; if not by ", name,
                     " itself, run on the collector: oppetid agent revoke ", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::EnrolReply> Enrolment::ReplyFor(const std::string& token) const {
  const auto* found = hosts_.FindByToken(token);
  if (found == nullptr || !found->second.invitation->used || found->second.revoked) {
    return absl::AbortedError("the invitation was changed meanwhile; try again");
  }
  const auto& [name, host] = *found;
  v1::EnrolReply reply;
  reply.set_certificate_pem(host.invitation->used->pem);
  reply.set_ca_pem(trust_.ca_pem());
  reply.set_municipality(host.municipality);
  reply.set_host(name);
  reply.set_trust_domain(trust_domain_);
  return reply;
}

void Enrolment::Enrol(const v1::EnrolRequest& request, const std::string& peer, Enrolled done) {
  const Steady now = clock_.SteadyNow();
  const std::string& token = request.token_id();
  absl::Status status;
  if (!trust_.issues()) {
    status = absl::FailedPreconditionError(
        "this collector does not enrol: its certificates come from an existing PKI");
  } else if (!IsTokenId(token)) {
    status = absl::InvalidArgumentError("this is no request of oppetid-agent enrol");
  } else if (!MayAttempt(token, now)) {
    counters_.Reject("enrolment_rate", peer);
    return done(absl::ResourceExhaustedError("too many attempts have failed; wait a minute"));
  } else {
    status = CheckEnrol(request);
    if (!status.ok()) NoteFailure(token, now);
  }
  if (!status.ok()) {
    counters_.Reject("enrolment", peer, std::string(status.message()));
    return done(status);
  }
  if (hosts_.FindByToken(token)->second.invitation->used) return done(ReplyFor(token));
  acts_.Record(
      {"collector", ""},
      [this, request](uint64_t, Instant at) -> absl::StatusOr<Acts::Draft> {
        if (auto still = CheckEnrol(request); !still.ok()) return still;
        const auto& [name, host] = *hosts_.FindByToken(request.token_id());
        if (host.invitation->used) return absl::AlreadyExistsError("asked twice at once");
        const auto issued = trust_.Issue(request.public_key(), {host.municipality, name}, at);
        if (!issued.ok()) return issued.status();
        return Acts::Draft{kAgentEnrolled,
                           IssuedBody(name, host.municipality, request.token_id(),
                                      {issued->serial, KeyHash(request.public_key()), issued->pem,
                                       trust_.issuer().hash(), at, issued->expires})};
      },
      [this, token, done = std::move(done)](const absl::StatusOr<Act>& act) {
        if (!act.ok() && !absl::IsAlreadyExists(act.status())) return done(act.status());
        const auto reply = ReplyFor(token);
        if (reply.ok()) hub_.Expect({reply->municipality(), reply->host()});
        done(reply);
      });
}

void Enrolment::OnHello(const Peer& peer, const v1::Hello& hello) {
  hosts_.Know(peer.identity.host, peer.identity.municipality);
  rollover_.OnHello(peer, hello);
}

void Enrolment::OnRenewal(const Peer& peer, const v1::RenewalRequest& request) {
  const std::string& name = peer.identity.host;
  const auto refuse = [&](std::string_view why) { counters_.Reject("renewal", name, why); };
  if (!trust_.issues()) return refuse("there is no CA key here");
  if (!CheckPublicKey(request.public_key()).ok() ||
      !Proves(request.public_key(), RenewMessage(request.public_key()), request.proof())) {
    return refuse("no P-256 key, or no proof for it");
  }
  const std::string key = KeyHash(request.public_key());
  const Host* host = hosts_.Find(name);
  if (host != nullptr && host->newest && host->newest->key == key) return SendCertificate(name);
  const Instant now = clock_.Now();
  const Millis life = peer.expires - peer.issued;
  const bool another_ca = peer.authority != trust_.issuer().hash();
  if (!another_ca && now < peer.expires - life / 2 - life / kEarlyPart) {
    return refuse("more than half of the certificate's life is left");
  }
  const auto last = renewed_.find(name);
  if (last != renewed_.end() && clock_.SteadyNow() - last->second < life / kAgainPart) {
    return refuse("renewed just now, with another key");
  }
  renewed_[name] = clock_.SteadyNow();
  acts_.Record(
      {"collector", ""},
      [this, peer, key, public_key = request.public_key()](
          uint64_t, Instant at) -> absl::StatusOr<Acts::Draft> {
        if (Admit(peer) != kAccepted) return absl::PermissionDeniedError("revoked meanwhile");
        const auto issued = trust_.Issue(public_key, peer.identity, at);
        if (!issued.ok()) return issued.status();
        return Acts::Draft{kCertificateRenewed,
                           IssuedBody(peer.identity.host, peer.identity.municipality, "",
                                      {issued->serial, key, issued->pem, trust_.issuer().hash(), at,
                                       issued->expires})};
      },
      [this, name](const absl::StatusOr<Act>& act) {
        if (!act.ok())
          return counters_.Reject("renewal", name, std::string(act.status().message()));
        SendCertificate(name);
      });
}

void Enrolment::SendCertificate(const std::string& name) {
  v1::CollectorFrame frame;
  frame.mutable_certificate()->set_certificate_pem(hosts_.Find(name)->newest->pem);
  frame.mutable_certificate()->set_ca_pem(trust_.ca_pem());
  hub_.SendTo(name, frame);
}

}  // namespace oppetid::collector
