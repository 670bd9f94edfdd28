#include "collector/trust.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

constexpr int kPublic = 0644;

std::vector<std::string> Sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::optional<PrivateKey> KeyOf(const std::vector<PemCertificate>& certificates,
                                const std::vector<PrivateKey>& keys) {
  for (const PrivateKey& key : keys) {
    if (!certificates.empty() && certificates[0].public_key == key.public_key()) return key;
  }
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<Trust>> Trust::Open(TrustOptions options, Instant now) {
  std::unique_ptr<Trust> trust(new Trust(std::move(options)));
  if (auto status = trust->LoadAuthorities(now); !status.ok()) return status;
  auto verifier = PeerVerifier::Make(trust->ca_pem(), trust->options_.trust_domain);
  if (!verifier.ok()) return verifier.status();
  trust->verifier_.emplace(*std::move(verifier));
  if (auto renewed = trust->RenewServer(now); !renewed.ok()) return renewed.status();
  return trust;
}

absl::Status Trust::LoadAuthorities(Instant now) {
  const auto ca = ReadFile(options_.ca);
  if (!ca.ok() && !(issues() && absl::IsNotFound(ca.status()))) return ca.status();
  std::vector<PrivateKey> keys;
  if (issues()) {
    const auto text = ReadSecretFile(options_.ca_key);
    if (text.ok()) {
      keys = PrivateKey::ReadAll(*text);
    } else if (!absl::IsNotFound(text.status()) || ca.ok()) {
      // A CA that is there belongs to somebody: none is made beside it.
      return text.status();
    }
  }
  if (!ca.ok()) {
    auto made = Authority::Make(keys.empty() ? PrivateKey::Make() : keys[0], now);
    if (!made.ok()) return made.status();
    authorities_.push_back(*std::move(made));
    LogInfo("made a certificate authority", {{"ca", authorities_[0].hash()}});
    return SaveAuthorities(/*keys_first=*/true);
  }
  for (PemCertificate& certificate : ReadCertificates(*ca)) {
    auto key = KeyOf({certificate}, keys);
    authorities_.emplace_back(std::move(certificate), std::move(key));
  }
  // Those that can issue come last, in their order: a roll-over leads from one to the other.
  std::stable_partition(authorities_.begin(), authorities_.end(),
                        [](const Authority& authority) { return !authority.key(); });
  const auto ours = std::find_if(authorities_.begin(), authorities_.end(),
                                 [](const Authority& authority) { return !!authority.key(); });
  if (issues() && ours == authorities_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.ca_key, " holds no P-256 key of a certificate in ", options_.ca));
  }
  issuing_ = issues() ? static_cast<size_t>(ours - authorities_.begin()) : 0;
  return absl::OkStatus();
}

absl::Status Trust::SaveAuthorities(bool keys_first) const {
  std::string keys;
  for (const Authority& authority : authorities_) {
    if (authority.key()) keys += authority.key()->ToPem();
  }
  if (keys_first) {
    if (auto status = ReplaceFile(options_.ca_key, keys); !status.ok()) return status;
    return ReplaceFile(options_.ca, ca_pem(), kPublic);
  }
  if (auto status = ReplaceFile(options_.ca, ca_pem(), kPublic); !status.ok()) return status;
  return ReplaceFile(options_.ca_key, keys);
}

const Authority* Trust::next() const {
  const auto with_key = std::count_if(authorities_.begin(), authorities_.end(),
                                      [](const Authority& one) { return !!one.key(); });
  return with_key > 1 ? &authorities_.back() : nullptr;
}

const Authority* Trust::old() const {
  return next() == nullptr ? nullptr : &authorities_[authorities_.size() - 2];
}

std::string Trust::ca_pem() const {
  std::string pem;
  for (const Authority& authority : authorities_) pem += authority.pem();
  return pem;
}

absl::StatusOr<Issued> Trust::Issue(std::string_view public_key, const Identity& identity,
                                    Instant now) const {
  return issuer().IssueAgent(public_key, identity, options_.trust_domain, now, options_.life);
}

absl::StatusOr<bool> Trust::RenewServer(Instant now) {
  bool changed = false;
  const absl::Status loaded = LoadServer(&changed);
  if (!issues()) {
    if (!loaded.ok()) return loaded;
    return changed;
  }
  if (loaded.ok() && ServerIsFine(now)) return changed;
  if (auto status = MakeServer(now); !status.ok()) return status;
  return true;
}

absl::Status Trust::LoadServer(bool* changed) {
  const auto certificate = ReadFile(options_.certificate);
  if (!certificate.ok()) return certificate.status();
  const auto key = ReadSecretFile(options_.key);
  if (!key.ok()) return key.status();
  const auto certificates = ReadCertificates(*certificate);
  if (certificates.empty()) {
    return absl::InvalidArgumentError(options_.certificate + " holds no certificate");
  }
  ServerIdentity read{*certificate, *key, ca_pem(), certificates[0].until};
  // Of an existing PKI the key may be of another kind.
  if (issues()) {
    const auto ours = KeyOf(certificates, PrivateKey::ReadAll(*key));
    if (!ours) {
      return absl::InvalidArgumentError(options_.key + " is not the key of " +
                                        options_.certificate);
    }
    read.key = ours->ToPem();
  }
  *changed =
      read.certificate != server_.certificate || read.key != server_.key || read.ca != server_.ca;
  server_ = std::move(read);
  return absl::OkStatus();
}

bool Trust::ServerIsFine(Instant now) const {
  const auto certificates = ReadCertificates(server_.certificate);
  // The CA stands behind it, so that whoever has a token can know it by its hash.
  if (certificates.size() < 2) return false;
  const PemCertificate& own = certificates[0];
  return KeyHash(certificates.back().public_key) == issuer().hash() &&
         own.names == Sorted(options_.names) && now >= own.from &&
         now < own.until - (own.until - own.from) / 2;
}

absl::Status Trust::MakeServer(Instant now) {
  const PrivateKey key = PrivateKey::Make();
  const auto issued = issuer().IssueServer(key.public_key(), options_.names, now, options_.life);
  if (!issued.ok()) return issued.status();
  const std::string pem = issued->pem + issuer().pem();
  // The key of the certificate in force stays until that is another.
  if (auto status = ReplaceFile(options_.key, key.ToPem() + server_.key); !status.ok()) {
    return status;
  }
  if (auto status = ReplaceFile(options_.certificate, pem, kPublic); !status.ok()) return status;
  server_ = {pem, key.ToPem(), ca_pem(), issued->expires};
  LogInfo("made the server's certificate", {{"expires", FormatInstant(issued->expires)}});
  return ReplaceFile(options_.key, key.ToPem());
}

absl::Status Trust::AddNext(Instant now) {
  auto made = Authority::Make(now);
  if (!made.ok()) return made.status();
  authorities_.push_back(*std::move(made));
  if (auto status = SaveAuthorities(/*keys_first=*/true); !status.ok()) {
    authorities_.pop_back();
    return status;
  }
  server_.ca = ca_pem();
  return verifier_->Trust(ca_pem());
}

absl::Status Trust::Drop(const std::string& hash) {
  const auto found = std::find_if(authorities_.begin(), authorities_.end(),
                                  [&](const Authority& one) { return one.hash() == hash; });
  // The last one stays, whatever is asked.
  if (found == authorities_.end() || authorities_.size() == 1) return absl::OkStatus();
  const std::string issuing = issuer().hash();
  authorities_.erase(found);
  issuing_ = authorities_.size() - 1;
  for (size_t i = 0; i < authorities_.size(); ++i) {
    if (authorities_[i].hash() == issuing) issuing_ = i;
  }
  server_.ca = ca_pem();
  if (auto status = verifier_->Trust(ca_pem()); !status.ok()) return status;
  return SaveAuthorities(/*keys_first=*/false);
}

}  // namespace oppetid::collector
