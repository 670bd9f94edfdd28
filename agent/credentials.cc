#include "agent/credentials.h"

#include "absl/strings/str_cat.h"
#include "common/file.h"

namespace oppetid::agent {
namespace {

constexpr int kPublic = 0644;

const PrivateKey* KeyOf(const std::vector<PrivateKey>& keys, const PemCertificate& certificate) {
  for (const PrivateKey& key : keys) {
    if (key.public_key() == certificate.public_key) return &key;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Credentials> LoadCredentials(const TlsFiles& files) {
  const auto certificate = ReadFile(files.certificate);
  if (absl::IsNotFound(certificate.status())) {
    return absl::NotFoundError(absl::StrCat(
        files.certificate, " is missing; enrol this server first: oppetid-agent enrol"));
  }
  const auto ca = ReadFile(files.ca);
  const auto key = ReadSecretFile(files.key);
  for (const auto* file : {&certificate, &ca, &key}) {
    if (!file->ok()) return file->status();
  }
  Credentials credentials;
  auto own = ReadCertificates(*certificate);
  if (own.empty()) {
    return absl::InvalidArgumentError(files.certificate + " holds no certificate");
  }
  credentials.facts = std::move(own[0]);
  const std::vector<PrivateKey> keys = PrivateKey::ReadAll(*key);
  // A key of another kind comes from an existing PKI and stands alone.
  credentials.key = *key;
  if (!keys.empty()) {
    const PrivateKey* ours = KeyOf(keys, credentials.facts);
    if (ours == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(files.key, " is not the key of ", files.certificate,
                       "; enrol this server again: oppetid-agent enrol"));
    }
    credentials.key = ours->ToPem();
  }
  for (const PemCertificate& one : ReadCertificates(*ca)) {
    credentials.trusted_cas.push_back(KeyHash(one.public_key));
  }
  if (credentials.trusted_cas.empty()) {
    return absl::InvalidArgumentError(files.ca + " holds no certificate");
  }
  credentials.ca = *ca;
  credentials.certificate = *certificate;
  return credentials;
}

absl::Status InstallCertificate(const TlsFiles& files, const std::string& certificate,
                                const PrivateKey& key, const std::string& note) {
  const auto certificates = ReadCertificates(certificate);
  if (certificates.empty() || certificates[0].public_key != key.public_key()) {
    return absl::InvalidArgumentError("the collector's answer is no certificate for our key");
  }
  const std::string pem = key.ToPem();
  const auto before = ReadSecretFile(files.key);
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  if (before.ok()) {
    // Only the key in force: more never pile up.
    std::string in_force;
    const auto old = ReadFile(files.certificate);
    const auto old_certificates = ReadCertificates(old.ok() ? *old : "");
    const auto keys = PrivateKey::ReadAll(*before);
    if (!old_certificates.empty()) {
      if (const PrivateKey* one = KeyOf(keys, old_certificates[0])) in_force = one->ToPem();
    }
    if (auto status = ReplaceFile(files.key, pem + in_force); !status.ok()) return status;
  } else if (auto status = ReplaceFile(files.key, pem); !status.ok()) {
    return status;
  }
  if (auto status = ReplaceFile(files.certificate, note + certificate, kPublic); !status.ok()) {
    return status;
  }
  return ReplaceFile(files.key, pem);
}

absl::Status InstallCa(const TlsFiles& files, const std::string& ca) {
  if (ReadCertificates(ca).empty()) {
    return absl::InvalidArgumentError("the collector's answer names no CA");
  }
  return ReplaceFile(files.ca, ca, kPublic);
}

}  // namespace oppetid::agent
