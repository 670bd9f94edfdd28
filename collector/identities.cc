#include "collector/identities.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "collector/identity_api.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

// How often the server's certificate is looked at, as a part of its life and at least: a month's
// each minute.
constexpr Millis kLookEvery{60'000};
constexpr Millis kLookOften{1'000};
constexpr int kLookPart = 100;

double UnixSeconds(Instant at) { return static_cast<double>(ToUnixMillis(at)) / 1000.0; }

}  // namespace

absl::StatusOr<std::unique_ptr<Identities>> Identities::Open(
    const CollectorConfig& config, Hub& hub, Acts& acts, Counters& counters, const Clock& clock,
    boost::asio::any_io_executor executor) {
  std::unique_ptr<Identities> self(new Identities(hub, counters, clock, std::move(executor)));
  if (auto status = self->OpenLists(config); !status.ok()) return status;
  self->Wire(config, acts);
  return self;
}

absl::Status Identities::OpenLists(const CollectorConfig& config) {
  auto trust = Trust::Open({config.ca, config.ca_key, config.certificate, config.key,
                            config.server_names, config.trust_domain, config.certificate_life},
                           clock_.Now());
  if (!trust.ok()) return trust.status();
  trust_ = *std::move(trust);
  auto revocations = Revocations::Open(config.state + "/revocations");
  if (!revocations.ok()) return revocations.status();
  revocations_.emplace(*std::move(revocations));
  return absl::OkStatus();
}

void Identities::Wire(const CollectorConfig& config, Acts& acts) {
  acts.AddView([this](const Act& act) { hosts_.Apply(act); });
  rollover_.emplace(hub_, acts, hosts_, *trust_, clock_, [this] { Publish(); });
  acts.AddView([this](const Act& act) { rollover_->Apply(act); });
  enrolment_.emplace(
      hub_, acts, hosts_, *trust_, *revocations_, *rollover_, counters_, clock_,
      config.trust_domain,
      [this](std::function<absl::Status()> work, std::function<void(absl::Status)> done) {
        files_.Post([this, work = std::move(work), done = std::move(done)] {
          boost::asio::post(executor_, [done, status = work()] { done(status); });
        });
      });
  hub_.set_gate(&*enrolment_);
}

absl::Status Identities::Settle(const std::vector<AgentRow>& stored) {
  for (const AgentRow& row : stored) hosts_.Know(row.host, row.municipality);
  for (const HostEnd& revocation : revocations_->all()) hosts_.Apply(revocation);
  for (const auto& [name, host] : hosts_.all()) {
    if (host.retired) {
      hub_.Retire(name);
    } else if (host.enrolled && !host.revoked) {
      hub_.Expect({host.municipality, name});
    }
  }
  const auto renewed = trust_->RenewServer(clock_.Now());
  if (!renewed.ok()) return renewed.status();
  Publish();
  return absl::OkStatus();
}

void Identities::AddRoutes(Api& api) {
  AddIdentityRoutes(api, *enrolment_, *rollover_, hosts_, clock_);
}

void Identities::OnServerChange(std::function<void(const ServerIdentity&)> changed) {
  changed_ = std::move(changed);
}

void Identities::Publish() {
  counters_.certificate_expiry.Set(UnixSeconds(trust_->server().expires));
  // Of all that are trusted: the first that expires cuts off whoever still needs it.
  Instant ca = Instant::max();
  for (const Authority& one : trust_->authorities()) ca = std::min(ca, one.expires());
  counters_.ca_expiry.Set(UnixSeconds(ca));
  if (changed_) changed_(trust_->server());
}

void Identities::Tick() {
  rollover_->Tick();
  const Steady now = clock_.SteadyNow();
  if (now < next_look_) return;
  const Millis left = trust_->server().expires - clock_.Now();
  next_look_ = now + std::clamp(left / kLookPart, kLookOften, kLookEvery);
  const auto renewed = trust_->RenewServer(clock_.Now());
  if (!renewed.ok() && !failing_) {
    LogError("cannot renew the server's certificate; the old one stays",
             {{"error", std::string(renewed.status().message())}});
  }
  failing_ = !renewed.ok();
  if (renewed.ok() && *renewed) Publish();
}

}  // namespace oppetid::collector
