#include "agent/enrol.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/config.h"
#include "agent/enrol_call.h"
#include "agent/pinning.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/identity.h"
#include "common/text.h"
#include "common/token.h"

namespace oppetid::agent {
namespace {

constexpr char kUsualState[] = "/var/lib/oppetid-agent";
constexpr size_t kMaxTokenBytes = 4'096;
constexpr int kBad = 2;

struct Place {
  std::string state;
  std::string collector;
  TlsFiles files;
  std::string pending() const { return state + "/enrol.key"; }
  std::string lock() const { return state + "/enrol.lock"; }
};

int Fail(const absl::Status& status, int code = 1) {
  std::cerr << "oppetid-agent: " << status.message() << "\n";
  return code;
}

absl::StatusOr<std::string> TokenText(const EnrolOptions& options) {
  const std::string& file = options.token == "-" ? options.token : options.token_file;
  if (file.empty()) return options.token;
  if (file != "-") return ReadFile(file, kMaxTokenBytes);
  std::string text;
  std::getline(std::cin, text);
  if (text.size() > kMaxTokenBytes) return absl::InvalidArgumentError("this is no token");
  return text;
}

// Where identities are kept; the configuration's faults are told here.
std::optional<Place> PlaceOf(const EnrolOptions& options) {
  Place place;
  place.collector = options.collector;
  place.state = options.state.empty() ? kUsualState : options.state;
  if (options.config.empty()) {
    place.files = {place.state + "/ca.pem", place.state + "/agent.pem", place.state + "/agent.key"};
    return place;
  }
  const auto text = ReadFile(options.config);
  if (!text.ok()) {
    Fail(text.status());
    return std::nullopt;
  }
  SystemClock clock;
  boost::asio::io_context io(1);
  BlockingPool pool("agent-pool", 1);
  World world{io.get_executor(), pool, clock, ""};
  Faults faults(options.config);
  const AgentConfig config = ReadAgentConfig(*text, faults, world);
  for (const std::string& line : faults.lines()) std::cerr << line << "\n";
  if (!faults.empty()) return std::nullopt;
  place.state = config.state;
  place.files = {config.ca, config.certificate, config.key};
  if (place.collector.empty()) place.collector = config.collectors[0];
  return place;
}

// The line that stands before a certificate of this token, and before its key while it is pending.
std::string NoteOf(const Token& token) { return "# Invitation " + token.id + "\n"; }

// The key to enrol with: that of an earlier try with this token, or a new one.
absl::StatusOr<PrivateKey> KeyFor(const Place& place, const Token& token) {
  const auto pending = ReadSecretFile(place.pending());
  if (pending.ok() && pending->starts_with(NoteOf(token))) {
    const auto keys = PrivateKey::ReadAll(*pending);
    if (!keys.empty()) return keys[0];
  }
  const PrivateKey key = PrivateKey::Make();
  const absl::Status saved = ReplaceFile(place.pending(), NoteOf(token) + key.ToPem());
  if (!saved.ok()) return saved;
  return key;
}

// Whether the answer is what we asked for: a certificate for our key, by a CA that it tells us to
// trust, among which the pinned one is.
absl::StatusOr<Peer> CheckReply(const v1::EnrolReply& reply, const PrivateKey& key,
                                const Token& token) {
  const absl::Status odd = absl::InternalError("the collector's answer does not fit the request");
  const auto own = ReadCertificates(reply.certificate_pem());
  bool pinned = false;
  for (const PemCertificate& ca : ReadCertificates(reply.ca_pem())) {
    pinned = pinned || KeyHash(ca.public_key) == token.ca;
  }
  if (own.empty() || own[0].public_key != key.public_key() || !pinned) return odd;
  const auto verifier = PeerVerifier::Make(reply.ca_pem(), reply.trust_domain());
  if (!verifier.ok()) return verifier.status();
  auto peer = verifier->Verify(reply.certificate_pem(), SystemClock().Now());
  if (!peer.ok()) {
    return absl::InternalError(
        absl::StrCat("the certificate that came is not good here: ", peer.status().message(),
                     " (is this server's clock right?)"));
  }
  if (peer->identity.host != reply.host() || peer->identity.municipality != reply.municipality()) {
    return odd;
  }
  return peer;
}

// Made by root for an agent that runs as another user: the files are that user's.
void GiveToOwner(const Place& place) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(place.state.c_str(), &info) != 0 || info.st_uid == 0) return;
  for (const std::string& file :
       {place.files.ca, place.files.certificate, place.files.key, place.lock()}) {
    if (::chown(file.c_str(), info.st_uid, info.st_gid) != 0) {
      std::cerr << "oppetid-agent: cannot give " << file << " to the owner of " << place.state
                << "\n";
    }
  }
}

absl::StatusOr<Peer> Enrol(const Place& place, const Token& token) {
  ::mkdir(place.state.c_str(), 0700);  // if that fails, the lock below says why
  const auto lock = LockFile::Take(place.lock());
  if (!lock.ok()) return lock.status();
  const auto key = KeyFor(place, token);
  if (!key.ok()) return key.status();
  const auto ca = FetchCa(place.collector, token.ca);
  if (!ca.ok()) return ca.status();
  v1::EnrolRequest request;
  request.set_token_id(token.id);
  request.set_secret(token.secret);
  request.set_public_key(key->public_key());
  request.set_proof(key->Sign(EnrolMessage(token.id)));
  const auto reply = CallEnrol(place.collector, *ca, request);
  if (!reply.ok()) {
    return absl::Status(
        reply.status().code(),
        absl::StrCat("the collector refuses: ", OneLine(std::string(reply.status().message()))));
  }
  auto peer = CheckReply(*reply, *key, token);
  if (!peer.ok()) return peer;
  if (auto status = InstallCa(place.files, reply->ca_pem()); !status.ok()) return status;
  const auto installed =
      InstallCertificate(place.files, reply->certificate_pem(), *key, NoteOf(token));
  if (!installed.ok()) return installed;
  ::unlink(place.pending().c_str());
  GiveToOwner(place);
  return peer;
}

}  // namespace

int RunEnrol(const EnrolOptions& options) {
  const auto place = PlaceOf(options);
  if (!place) return kBad;
  const auto text = TokenText(options);
  if (!text.ok()) return Fail(text.status());
  const auto token = ParseToken(*text);
  if (!token.ok()) return Fail(token.status(), kBad);
  const auto before = LoadCredentials(place->files);
  if (before.ok() && before->certificate.starts_with(NoteOf(*token)) &&
      SystemClock().Now() < before->facts.until) {
    // An earlier try may have ended right after the certificate.
    ::unlink(place->pending().c_str());
    GiveToOwner(*place);
    std::cout << "enrolled already with this token: " << before->facts.uri << ", until "
              << FormatInstant(before->facts.until) << "\n";
    return 0;
  }
  if (place->collector.empty()) {
    return Fail(absl::InvalidArgumentError("say where the collector is: --collector HOST:PORT"),
                kBad);
  }
  const auto peer = Enrol(*place, *token);
  if (!peer.ok()) return Fail(peer.status());
  std::cout << "enrolled as " << peer->identity.host << " of " << peer->identity.municipality
            << ", until " << FormatInstant(peer->expires) << "\n";
  return 0;
}

}  // namespace oppetid::agent
