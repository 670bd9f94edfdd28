#include "collector/rollover.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr char kStarted[] = "ca_rollover_started";
constexpr char kSwitched[] = "ca_rollover_switched";
constexpr char kFinished[] = "ca_rollover_finished";
// An agent that was seen within this time lives; one that was not has no valid certificate either.
constexpr Millis kLives = std::chrono::hours(24 * 30);
constexpr Millis kLookEvery{1'000};
// As many CAs as a Hello may name.
constexpr int kMaxTrusted = 8;
// Hosts that a refusal names; the others stand in the status.
constexpr size_t kNamed = 10;

std::string BodyOf(const Trust& trust) {
  return "{\"old\":\"" + trust.old()->hash() + "\",\"new\":\"" + trust.next()->hash() + "\"}";
}

std::string HashIn(const Act& act, const char* which) {
  boost::system::error_code error;
  const auto body = boost::json::parse(act.body, error);
  if (error || !body.is_object()) return "";
  const auto* hash = body.get_object().if_contains(which);
  return hash != nullptr && hash->is_string() ? std::string(hash->get_string()) : "";
}

}  // namespace

Rollover::Rollover(Hub& hub, Acts& acts, const Hosts& hosts, Trust& trust, const Clock& clock,
                   std::function<void()> on_changed)
    : hub_(hub),
      acts_(acts),
      hosts_(hosts),
      trust_(trust),
      clock_(clock),
      on_changed_(std::move(on_changed)) {}

bool Rollover::switched() const {
  return trust_.next() != nullptr && trust_.issuer().hash() == trust_.next()->hash();
}

void Rollover::Apply(const Act& act) {
  if (act.kind == kSwitched) {
    const Authority* next = trust_.next();
    if (next != nullptr && next->hash() == HashIn(act, "new")) trust_.IssueByNext();
  } else if (act.kind == kFinished) {
    Drop(HashIn(act, "old"));
  }
}

void Rollover::Start(Caller caller, Told done) {
  const auto made = std::make_shared<std::string>();
  acts_.Record(
      std::move(caller),
      [this, made](uint64_t, Instant at) -> absl::StatusOr<Acts::Draft> {
        if (!trust_.issues()) {
          return absl::FailedPreconditionError(
              "this collector has no CA key (tls.ca_key): its certificates come from elsewhere");
        }
        if (trust_.next() != nullptr) {
          return absl::FailedPreconditionError(
              "a roll-over is under way; see: oppetid ca rollover status");
        }
        if (auto status = trust_.AddNext(at); !status.ok()) return status;
        *made = trust_.next()->hash();
        return Acts::Draft{kStarted, BodyOf(trust_)};
      },
      [this, made, done](const absl::StatusOr<Act>& act) {
        if (!act.ok()) {
          if (!made->empty()) Drop(*made);  // what is not recorded has not happened
          return done(act.status());
        }
        on_changed_();
        TellAll();
        done("started: the new CA is " + *made + "\n");
      });
}

void Rollover::Drop(const std::string& hash) {
  if (auto status = trust_.Drop(hash); !status.ok()) {
    LogError("a CA is trusted no more, but its files cannot be written",
             {{"ca", hash}, {"error", std::string(status.message())}});
  }
}

void Rollover::Finish(Caller caller, Told done) {
  acts_.Record(
      std::move(caller),
      [this](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
        if (trust_.next() == nullptr) {
          return absl::FailedPreconditionError("no roll-over is under way");
        }
        const std::vector<Waiting> waiting = WaitingFor();
        if (!waiting.empty() || !switched()) {
          std::string words = "living agents still need the old CA";
          if (waiting.empty()) words = "new certificates do not come from the new CA yet";
          for (size_t i = 0; i < std::min(waiting.size(), kNamed); ++i) {
            words += (i == 0 ? ": " : "; ") + waiting[i].host + " (" + waiting[i].why + ")";
          }
          if (waiting.size() > kNamed)
            absl::StrAppend(&words, "; and ", waiting.size() - kNamed, " more");
          return absl::FailedPreconditionError(words);
        }
        return Acts::Draft{kFinished, BodyOf(trust_)};
      },
      [this, done](const absl::StatusOr<Act>& act) {
        if (!act.ok()) return done(act.status());
        on_changed_();
        TellAll();
        done("finished: only " + trust_.issuer().hash() + " is trusted now\n");
      });
}

void Rollover::Tick() {
  const Steady now = clock_.SteadyNow();
  if (trust_.next() == nullptr || switched() || recording_ || now < next_look_) return;
  next_look_ = now + kLookEvery;
  if (!WaitingFor().empty()) return;
  recording_ = true;
  acts_.Record(
      {"collector", ""},
      [this](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
        return Acts::Draft{kSwitched, BodyOf(trust_)};
      },
      [this](const absl::StatusOr<Act>& act) {
        recording_ = false;
        if (!act.ok()) return;  // the ledger cannot be written, which is told elsewhere; next time
        if (auto renewed = trust_.RenewServer(clock_.Now()); !renewed.ok()) {
          LogError("cannot renew the server's certificate",
                   {{"error", std::string(renewed.status().message())}});
        }
        on_changed_();
        TellAll();
      });
}

void Rollover::OnHello(const Peer& peer, const v1::Hello& hello) {
  Known& known = known_[peer.identity.host];
  known.authority = peer.authority;
  known.trusted.clear();
  for (int i = 0; i < std::min(hello.trusted_cas_size(), kMaxTrusted); ++i) {
    known.trusted.insert(hello.trusted_cas(i));
  }
  Tell(peer.identity.host, known);
}

void Rollover::TellAll() {
  for (const auto& [host, known] : known_) Tell(host, known);
}

// An agent that does not say whom it trusts has its CA file from elsewhere, or is too old.
void Rollover::Tell(const std::string& host, const Known& known) {
  if (!trust_.issues() || known.trusted.empty()) return;
  std::set<std::string> ours;
  for (const Authority& authority : trust_.authorities()) ours.insert(authority.hash());
  v1::CollectorFrame frame;
  v1::Certificate* certificate = frame.mutable_certificate();
  if (known.trusted != ours) certificate->set_ca_pem(trust_.ca_pem());
  certificate->set_renew(known.authority != trust_.issuer().hash());
  if (certificate->ca_pem().empty() && !certificate->renew()) return;
  hub_.SendTo(host, frame);
}

std::string Rollover::WhyWait(const std::string& host, const std::string& authority) const {
  const auto known = known_.find(host);
  if (known == known_.end()) {
    return authority == trust_.next()->hash() ? "" : "not connected since the collector's start";
  }
  if (!switched()) {
    return known->second.trusted.count(trust_.next()->hash()) > 0 ? ""
                                                                  : "does not trust the new CA yet";
  }
  return known->second.authority == trust_.next()->hash() ? "" : "has a certificate of the old CA";
}

std::vector<Rollover::Waiting> Rollover::WaitingFor() const {
  std::vector<Waiting> waiting;
  if (trust_.next() == nullptr) return waiting;
  const Instant now = clock_.Now();
  const auto add = [&](const std::string& municipality, const std::string& host,
                       const std::string& authority) {
    const std::string why = WhyWait(host, authority);
    if (!why.empty()) waiting.push_back({municipality, host, why});
  };
  std::set<std::string> seen;
  const auto view = hub_.MakeView();
  for (const auto& agent : view->agents) {
    if (!agent->last_seen) continue;
    const Host* host = hosts_.Find(agent->host);
    seen.insert(agent->host);
    if (host != nullptr && (host->revoked || host->retired)) continue;
    if (now - *agent->last_seen > kLives) continue;
    add(agent->municipality, agent->host, "");
  }
  // Enrolled, and not yet seen.
  for (const auto& [name, host] : hosts_.all()) {
    if (seen.count(name) > 0 || host.revoked || host.retired || !host.newest) continue;
    if (now < host.newest->expires) add(host.municipality, name, host.newest->authority);
  }
  return waiting;
}

std::string Rollover::StatusJson() const {
  const char* state = trust_.next() == nullptr ? "none" : switched() ? "switched" : "started";
  std::string json = absl::StrCat("{\"state\":\"", state, "\",\"cas\":[");
  for (const Authority& authority : trust_.authorities()) {
    if (json.back() == '}') json += ",";
    json += "{\"hash\":\"" + authority.hash() + "\",\"expires\":\"" +
            FormatInstant(authority.expires()) + "\",\"issues\":" +
            (trust_.issues() && authority.hash() == trust_.issuer().hash() ? "true" : "false") +
            "}";
  }
  json += "],\"waiting_for\":[";
  for (const Waiting& one : WaitingFor()) {
    if (json.back() == '}') json += ",";
    json += "{\"municipality\":" + JsonQuote(one.municipality) +
            ",\"host\":" + JsonQuote(one.host) + ",\"why\":" + JsonQuote(one.why) + "}";
  }
  return json + "]}";
}

}  // namespace oppetid::collector
