#include "collector/hosts.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "common/text.h"

namespace oppetid::collector {
namespace {

// Serial numbers kept for a host that was revoked: two a month are usual, and the oldest expire
// first.
constexpr size_t kMaxSerials = 100;

// The strings of an act's body.
class Body {
 public:
  explicit Body(const Act& act) {
    boost::system::error_code error;
    auto value = boost::json::parse(act.body, error);
    if (!error && value.is_object()) object_ = std::move(value.get_object());
  }
  std::string Text(std::string_view key) const {
    const auto* value = object_.if_contains(boost::json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  }
  Instant At(std::string_view key) const { return ParseInstant(Text(key)).value_or(Instant{}); }

 private:
  boost::json::object object_;
};

IssuedCertificate CertificateIn(const Body& body, Instant at) {
  return {
      body.Text("serial"), body.Text("key"), body.Text("certificate"), body.Text("authority"), at,
      body.At("expires")};
}

std::string Field(const char* name, const std::string& value) {
  return "\"" + std::string(name) + "\":" + JsonQuote(value);
}

}  // namespace

void Hosts::Apply(const Act& act) {
  const Body body(act);
  const std::string name = body.Text("host");
  if (act.kind == kAgentInvited) {
    Host& host = hosts_[name];
    host.municipality = body.Text("municipality");
    if (host.invitation) host_of_token_.erase(host.invitation->token);
    host.invitation =
        Invitation{body.Text("token"), body.Text("secret_sha256"), body.At("expires"), false, {}};
    host_of_token_[host.invitation->token] = name;
  } else if (act.kind == kAgentEnrolled || act.kind == kCertificateRenewed) {
    Host& host = hosts_[name];
    host.municipality = body.Text("municipality");
    host.enrolled = true;
    host.newest = CertificateIn(body, act.at);
    if (act.kind == kAgentEnrolled) {
      host.revoked = false;
      if (host.invitation && host.invitation->token == body.Text("token")) {
        host.invitation->used = host.newest;
      }
    }
    if (host.was_revoked) host.serials.push_back(host.newest->serial);
    if (host.serials.size() > kMaxSerials) host.serials.pop_front();
  } else if (act.kind == kAgentRevoked) {
    End(name, body.Text("revocation"), /*retired=*/false);
  } else if (act.kind == kAgentRetired) {
    End(name, body.Text("revocation"), /*retired=*/true);
  }
}

void Hosts::Apply(const HostEnd& revocation) {
  if (ended_.count(revocation.id) > 0) return;
  End(revocation.host, revocation.id, revocation.retired);
  hosts_[revocation.host].unrecorded.push_back(revocation);
}

void Hosts::End(const std::string& name, const std::string& id, bool retired) {
  Host& host = hosts_[name];
  host.revoked = host.was_revoked = true;
  host.retired = host.retired || retired;
  host.serials.clear();
  // An invitation that is still open would undo it.
  if (host.invitation) host.invitation->ended = true;
  std::erase_if(host.unrecorded, [&](const HostEnd& one) { return one.id == id; });
  ended_.insert(id);
}

void Hosts::Know(const std::string& name, const std::string& municipality) {
  Host& host = hosts_[name];
  if (host.invitation && host.municipality != municipality) {
    // It was made before anybody knew whose name this is; its holder must not become that one.
    host_of_token_.erase(host.invitation->token);
    host.invitation.reset();
  }
  host.municipality = municipality;
  host.enrolled = true;
}

Reason Hosts::Admit(const Peer& peer) const {
  const Host* host = Find(peer.identity.host);
  if (host == nullptr) return kAccepted;
  if (host->retired) return "retired";
  if (host->revoked) return "revoked";
  if (host->enrolled && host->municipality != peer.identity.municipality) {
    return "host_of_another_municipality";
  }
  const auto& since = host->serials;
  if (host->was_revoked && std::find(since.begin(), since.end(), peer.serial) == since.end()) {
    return "revoked";
  }
  return kAccepted;
}

const Host* Hosts::Find(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? nullptr : &found->second;
}

const std::pair<const std::string, Host>* Hosts::FindByToken(const std::string& token) const {
  const auto name = host_of_token_.find(token);
  if (name == host_of_token_.end()) return nullptr;
  return &*hosts_.find(name->second);
}

std::string InvitedBody(const std::string& host, const std::string& municipality,
                        const Invitation& invitation) {
  return "{" + Field("host", host) + "," + Field("municipality", municipality) + "," +
         Field("token", invitation.token) + "," + Field("secret_sha256", invitation.secret_hash) +
         "," + Field("expires", FormatInstant(invitation.expires)) + "}";
}

std::string IssuedBody(const std::string& host, const std::string& municipality,
                       const std::string& token, const IssuedCertificate& certificate) {
  return "{" + Field("host", host) + "," + Field("municipality", municipality) + "," +
         (token.empty() ? "" : Field("token", token) + ",") + Field("serial", certificate.serial) +
         "," + Field("key", certificate.key) + "," +
         Field("expires", FormatInstant(certificate.expires)) + "," +
         Field("authority", certificate.authority) + "," + Field("certificate", certificate.pem) +
         "}";
}

std::string EndedBody(const std::string& host, const std::string& id, const std::string& reason) {
  return "{" + Field("host", host) + "," + Field("revocation", id) + "," + Field("reason", reason) +
         "}";
}

}  // namespace oppetid::collector
