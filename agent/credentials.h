// The agent's identity on disk: whom it trusts, its certificate and its key.
//
// Three PEM files that other programs can read too. They are replaced so that whatever moment the
// power fails, the certificate in force has its key: the new key is first put beside the old one in
// the same file, then the certificate is replaced, then the old key goes.
// Threading: one thread. Files are small: read and written in place.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/pki.h"

namespace oppetid::agent {

struct TlsFiles {
  std::string ca, certificate, key;
};

struct Credentials {
  std::string ca, certificate, key;      // PEM
  PemCertificate facts;                  // of the certificate
  std::vector<std::string> trusted_cas;  // KeyHash of each
};

// What is in force. The errors say what is missing and how to get it.
absl::StatusOr<Credentials> LoadCredentials(const TlsFiles& files);

// Puts a new certificate and its key in force. `note` is a line of text to stand before it.
absl::Status InstallCertificate(const TlsFiles& files, const std::string& certificate,
                                const PrivateKey& key, const std::string& note = "");

// Replaces whom the agent trusts; refuses what holds no certificate.
absl::Status InstallCa(const TlsFiles& files, const std::string& ca);

}  // namespace oppetid::agent
