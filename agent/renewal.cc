#include "agent/renewal.h"

#include <algorithm>

#include "common/log.h"

namespace oppetid::agent {
namespace {

// An answer that does not come is asked for again after this part of the certificate's life, within
// these bounds: seven hours of a month.
constexpr int kAgainPart = 100;
constexpr Millis kAgainMin{1'000};
constexpr Millis kAgainMax = std::chrono::hours(8);
// A whole fleet must not come back at once; the old certificate still holds.
constexpr Millis kReconnectWithin{30'000};

}  // namespace

Renewal::Renewal(TlsFiles files, std::function<uint64_t()> random)
    : files_(std::move(files)), random_(std::move(random)) {}

void Renewal::FillHello(v1::Hello* hello) {
  const auto credentials = LoadCredentials(files_);
  if (!credentials.ok()) return;  // the link tells why it cannot connect
  told_ = credentials->trusted_cas;
  for (const std::string& hash : told_) hello->add_trusted_cas(hash);
}

void Renewal::OnConnected(Instant wall, Steady now) {
  reconnect_at_ = Steady::max();
  Plan(wall, now);
}

void Renewal::Plan(Instant wall, Steady now) {
  const auto credentials = LoadCredentials(files_);
  ask_at_ = Steady::max();
  if (!credentials.ok()) return;
  life_ = credentials->facts.until - credentials->facts.from;
  const Instant half = credentials->facts.until - life_ / 2;
  ask_at_ = now + std::max(half - wall, Millis(0));
}

std::optional<v1::RenewalRequest> Renewal::Due(Steady now) {
  if (now < ask_at_) return std::nullopt;
  ask_at_ = now + std::clamp(life_ / kAgainPart, kAgainMin, kAgainMax);
  // The same key until it is answered: then the answer is the same too.
  if (!key_) key_ = PrivateKey::Make();
  v1::RenewalRequest request;
  request.set_public_key(key_->public_key());
  request.set_proof(key_->Sign(RenewMessage(key_->public_key())));
  return request;
}

absl::StatusOr<bool> Renewal::TakeCa(const std::string& ca) {
  auto now = LoadCredentials(files_);
  if (now.ok() && now->ca != ca) {
    if (auto status = InstallCa(files_, ca); !status.ok()) return status;
    LogInfo("other CAs are trusted now");
    now = LoadCredentials(files_);
  }
  if (!now.ok()) return now.status();
  // Also where somebody else has put the same into the file before.
  return now->trusted_cas != told_;
}

void Renewal::OnCertificate(const v1::Certificate& certificate, Instant wall, Steady now) {
  absl::Status status;
  bool changed = false;
  if (!certificate.ca_pem().empty()) {
    const auto taken = TakeCa(certificate.ca_pem());
    status = taken.status();
    changed = taken.ok() && *taken;
  }
  if (status.ok() && !certificate.certificate_pem().empty() && key_) {
    status = InstallCertificate(files_, certificate.certificate_pem(), *key_);
    if (status.ok()) {
      key_.reset();
      changed = true;
      Plan(wall, now);
      LogInfo("renewed the certificate");
    }
  }
  if (!status.ok()) {
    LogError("cannot put a new certificate in force; asking again later",
             {{"error", std::string(status.message())}});
  }
  if (certificate.renew()) ask_at_ = now;
  if (!changed) return;
  const auto spread =
      static_cast<uint64_t>(std::clamp(life_ / kAgainPart, kAgainMin, kReconnectWithin).count());
  reconnect_at_ =
      std::min(reconnect_at_, now + Millis(static_cast<int64_t>(random_() % (spread + 1))));
}

bool Renewal::Reconnect(Steady now) {
  if (now < reconnect_at_) return false;
  reconnect_at_ = Steady::max();
  return true;
}

Steady Renewal::Next() const { return std::min(ask_at_, reconnect_at_); }

}  // namespace oppetid::agent
