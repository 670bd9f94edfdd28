#include "agent/sensors/snmp_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>

#include "agent/sensors/datagram.h"
#include "common/file.h"

namespace oppetid::agent {
namespace {

using boost::asio::ip::udp;

// A datagram is lost now and then; one that is lost three times is no accident. Together with the
// patience of a second this stays below the usual deadline.
constexpr int kTries = 3;
constexpr size_t kMaxDatagram = 65'535;
constexpr size_t kMaxStrays = 64;  // datagrams that are not the answer, per try
// Values asked for at a time: an answer of these stays in one packet.
constexpr int64_t kBulk = 20;
constexpr size_t kGetAtOnce = 20;
constexpr int64_t kTooBig = 1;  // the error status, of RFC 3416
// RFC 3414: an answer older than this is not believed.
constexpr int64_t kTimeWindowS = 150;
constexpr size_t kMaxSecretBytes = 255;

// usmStats of RFC 3414: what an engine reports instead of an answer.
const Oid kUsmStats = {1, 3, 6, 1, 6, 3, 15, 1, 1};
enum UsmStats : uint32_t {
  kUnsupportedLevel = 1,
  kNotInTimeWindow = 2,
  kUnknownUser = 3,
  kUnknownEngine = 4,
  kWrongDigest = 5,
  kDecryptionError = 6
};

uint32_t StatOf(const SnmpPdu& report) {
  if (report.values.empty()) return 0;
  const Oid& oid = report.values.front().oid;
  return IsUnder(oid, kUsmStats) ? oid[kUsmStats.size()] : 0;
}

std::string Explain(uint32_t stat) {
  switch (stat) {
    case kUnsupportedLevel:
      return "the device does not offer this user authentication and encryption";
    case kUnknownUser:
      return "the device does not know this user";
    case kWrongDigest:
      return "authentication failed: wrong passphrase or algorithm (`auth`, `auth_file`)";
    case kDecryptionError:
      return "the device could not decrypt: wrong passphrase (`privacy_file`)";
    default:
      return "the device refuses our messages";
  }
}

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::string Secret(const std::string& path, std::string& error) {
  auto text = ReadSecretFile(path);
  if (!text.ok()) {
    error = std::string(text.status().message());
    return "";
  }
  std::string secret = Trimmed(std::move(*text));
  if (secret.empty() || secret.size() > kMaxSecretBytes) error = path + ": expected one line";
  return secret;
}

}  // namespace

boost::asio::awaitable<std::string> SnmpSession::Open() {
  const std::string unread = co_await ReadSecrets();
  if (!unread.empty()) co_return unread;
  const std::string unresolved = co_await OpenSocket();
  if (!unresolved.empty()) co_return unresolved;
  if (!config_.v3 || !engine_.empty()) co_return std::string();
  co_return co_await Discover();
}

boost::asio::awaitable<std::string> SnmpSession::ReadSecrets() {
  std::function<Secrets()> work = [config = config_] {
    Secrets secrets;
    if (!config.v3) {
      secrets.community = Secret(config.community_file, secrets.error);
      return secrets;
    }
    secrets.auth = Secret(config.auth_file, secrets.error);
    if (secrets.error.empty()) secrets.privacy = Secret(config.privacy_file, secrets.error);
    const bool too_short =
        std::min(secrets.auth.size(), secrets.privacy.size()) < kMinUsmPassphrase;
    if (secrets.error.empty() && too_short) {
      secrets.error = "a passphrase of SNMPv3 has at least 8 characters";
    }
    return secrets;
  };
  Secrets secrets = co_await OnPool<Secrets>(world_.pool, std::move(work));
  const bool changed = secrets.auth != secrets_.auth || secrets.privacy != secrets_.privacy;
  secrets_ = std::move(secrets);
  if (changed && !engine_.empty()) MakeKeys();
  co_return secrets_.error;
}

boost::asio::awaitable<std::string> SnmpSession::OpenSocket() {
  const Resolved resolved = co_await Resolve(world_, config_.target.host);
  if (!resolved.error.empty()) co_return resolved.error;
  const udp::endpoint to(resolved.addresses.front(), config_.target.port);
  socket_ = std::make_shared<Socket>(world_.executor);
  boost::system::error_code error;
  socket_->open(to.protocol(), error);
  if (!error) socket_->connect(to, error);  // takes answers from there only
  if (!error) socket_->non_blocking(true, error);
  if (error) co_return "cannot reach " + config_.target.host + ": " + error.message();
  co_return std::string();
}

// An engine tells who it is to anybody who asks wrongly (RFC 3414, 4).
boost::asio::awaitable<std::string> SnmpSession::Discover() {
  auth_key_.clear();
  privacy_key_.clear();
  SnmpPdu nothing;
  const Heard heard = co_await Exchange(nothing);
  if (!heard.error.empty()) co_return heard.error;
  if (engine_.empty()) co_return std::string("the device does not tell its engine id");
  MakeKeys();
  co_return std::string();
}

void SnmpSession::MakeKeys() {
  auth_key_ = UsmKey(config_.auth, secrets_.auth, engine_);
  privacy_key_ = UsmKey(config_.auth, secrets_.privacy, engine_);
}

int64_t SnmpSession::EngineTime() const {
  const auto since = world_.clock.SteadyNow() - time_known_at_;
  return time_ + std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

void SnmpSession::Learn(const SnmpV3& envelope) {
  boots_ = envelope.boots;
  time_ = envelope.time;
  time_known_at_ = world_.clock.SteadyNow();
}

std::string SnmpSession::Encode(SnmpPdu& pdu) {
  message_id_ = static_cast<int32_t>(random_() & 0x7FFFFFFF);
  pdu.request_id = message_id_;
  const std::string bytes = EncodePdu(pdu);
  if (!config_.v3) return EncodeV2c(secrets_.community, bytes);
  if (!engine_.empty()) return EncodeSecured(bytes).value_or("");
  SnmpV3 discovery;
  discovery.id = message_id_;
  discovery.flags = SnmpV3::kReportable;
  discovery.body = EncodeScopedPdu("", bytes);
  return EncodeV3(discovery);
}

std::optional<std::string> SnmpSession::EncodeSecured(const std::string& pdu) {
  SnmpV3 envelope;
  envelope.id = message_id_;
  envelope.flags = SnmpV3::kAuthenticated | SnmpV3::kEncrypted | SnmpV3::kReportable;
  envelope.engine = engine_;
  envelope.boots = boots_;
  envelope.time = EngineTime();
  envelope.user = config_.user;
  envelope.mac.assign(UsmMacBytes(config_.auth), '\0');
  for (size_t i = 0; i < kUsmSaltBytes; ++i) envelope.salt += static_cast<char>(random_() & 0xFF);
  const auto body = UsmEncrypt(privacy_key_, {envelope.boots, envelope.time, envelope.salt},
                               EncodeScopedPdu(engine_, pdu));
  if (!body) return std::nullopt;
  envelope.body = *body;
  std::string message = EncodeV3(envelope);
  const auto own = DecodeV3(message);
  const std::string mac = UsmMac(config_.auth, auth_key_, message);
  if (!own || mac.size() != envelope.mac.size()) return std::nullopt;
  message.replace(own->mac_at, mac.size(), mac);
  return message;
}

boost::asio::awaitable<SnmpSession::Heard> SnmpSession::Exchange(SnmpPdu pdu) {
  Heard heard;
  std::vector<char> buffer(kMaxDatagram);
  bool refused = false;
  for (int tries = 0; tries < kTries; ++tries) {
    const std::string message = Encode(pdu);
    if (message.empty()) {
      heard.error = "cannot encrypt: OpenSSL refuses";
      co_return heard;
    }
    boost::system::error_code error;
    socket_->send(boost::asio::buffer(message), 0, error);
    const auto until = std::chrono::steady_clock::now() + config_.patience;
    for (size_t strays = 0; strays < kMaxStrays; ++strays) {
      const bool readable = co_await ReadableBefore(socket_, until);
      if (!readable) break;
      const size_t size = socket_->receive(boost::asio::buffer(buffer), 0, error);
      refused = refused || error == boost::asio::error::connection_refused;
      if (error) continue;
      auto read = Read({buffer.data(), size}, pdu);
      if (read) co_return std::move(*read);
    }
    if (refused) break;
  }
  const std::string target = config_.target.host + ":" + std::to_string(config_.target.port);
  if (refused) {
    heard.error = "nothing speaks SNMP at " + target;
  } else if (config_.v3) {
    heard.error = "no answer from " + target + ": it is down, or `privacy_file` is wrong";
  } else {
    heard.error = "no answer from " + target + ": it is down, or does not know the community";
  }
  engine_.clear();  // whoever answers next time may be another one
  co_return heard;
}

std::optional<SnmpSession::Heard> SnmpSession::Read(std::string_view datagram,
                                                    const SnmpPdu& asked) {
  if (config_.v3) return ReadV3(datagram, asked);
  auto pdu = DecodeV2c(datagram);
  if (!pdu || pdu->type != PduType::kResponse || pdu->request_id != asked.request_id) {
    return std::nullopt;
  }
  Heard heard;
  heard.pdu = std::move(*pdu);
  return heard;
}

bool SnmpSession::IsProven(const SnmpV3& envelope, std::string_view datagram) const {
  if ((envelope.flags & SnmpV3::kAuthenticated) == 0 || auth_key_.empty()) return false;
  if (envelope.mac.size() != UsmMacBytes(config_.auth)) return false;
  std::string blank(datagram);
  blank.replace(envelope.mac_at, envelope.mac.size(), envelope.mac.size(), '\0');
  return UsmSameMac(UsmMac(config_.auth, auth_key_, blank), envelope.mac);
}

std::optional<SnmpSession::Heard> SnmpSession::ReadV3(std::string_view datagram,
                                                      const SnmpPdu& asked) {
  auto envelope = DecodeV3(datagram);
  if (!envelope || envelope->id != message_id_) return std::nullopt;
  const bool stranger = !engine_.empty() && envelope->engine != engine_;
  const bool proven = IsProven(*envelope, datagram);
  std::string scoped = envelope->body;
  if ((envelope->flags & SnmpV3::kEncrypted) != 0) {
    auto plain =
        UsmDecrypt(privacy_key_, {envelope->boots, envelope->time, envelope->salt}, envelope->body);
    if (!proven || !plain) return std::nullopt;
    scoped = std::move(*plain);
  }
  auto pdu = DecodeScopedPdu(scoped);
  if (!pdu) return std::nullopt;
  if (pdu->type == PduType::kReport) return ReadReport(*envelope, *pdu, proven);
  // What was asked in secret is answered in secret; anything less is forged.
  const bool old = envelope->boots < boots_ ||
                   (envelope->boots == boots_ && envelope->time < EngineTime() - kTimeWindowS);
  if (!proven || stranger || (envelope->flags & SnmpV3::kEncrypted) == 0 || old ||
      pdu->request_id != asked.request_id) {
    return std::nullopt;
  }
  Learn(*envelope);
  Heard heard;
  heard.pdu = std::move(*pdu);
  return heard;
}

// A report that nobody has signed can only end the attempt, never make us believe something. The
// engine id is no secret: a wrong one only gives keys that do not fit.
std::optional<SnmpSession::Heard> SnmpSession::ReadReport(const SnmpV3& envelope,
                                                          const SnmpPdu& report, bool proven) {
  const uint32_t stat = StatOf(report);
  Heard heard;
  if (engine_.empty()) {
    if (stat != kUnknownEngine || envelope.engine.empty()) return std::nullopt;
    engine_ = envelope.engine;
    Learn(envelope);
    return heard;
  }
  if (stat == kNotInTimeWindow && proven) {
    Learn(envelope);
    heard.ask_again = true;
    return heard;
  }
  // As after a restart that gave the device another engine or clock: to be found out anew.
  const bool another = stat == kUnknownEngine || stat == kNotInTimeWindow;
  engine_.clear();
  heard.ask_again = another;
  if (!another) heard.error = Explain(stat);
  return heard;
}

boost::asio::awaitable<SnmpSession::Heard> SnmpSession::Request(SnmpPdu pdu) {
  Heard heard = co_await Exchange(pdu);
  if (heard.ask_again) {
    if (engine_.empty()) heard.error = co_await Discover();
    if (heard.error.empty()) heard = co_await Exchange(pdu);
    if (heard.ask_again) heard.error = "the device's SNMP engine or clock changes all the time";
  }
  if (heard.error.empty() && heard.pdu && heard.pdu->error_status != 0) {
    const int64_t status = heard.pdu->error_status;
    heard.error = status == 16 ? "this user may not read here (authorizationError)"
                               : "the device answers with error status " +
                                     std::to_string(std::clamp<int64_t>(status, 0, 99));
  }
  if (heard.error.empty() && !heard.pdu) heard.error = "the device does not answer the question";
  co_return heard;
}

boost::asio::awaitable<SnmpAnswer> SnmpSession::Get(std::vector<Oid> oids) {
  SnmpAnswer answer;
  size_t at_once = kGetAtOnce;
  for (size_t from = 0; from < oids.size();) {
    const size_t to = std::min(from + at_once, oids.size());
    SnmpPdu pdu;
    for (size_t i = from; i < to; ++i) pdu.values.push_back({oids[i], {}, 0, "", {}});
    Heard heard = co_await Request(std::move(pdu));
    if (heard.pdu && heard.pdu->error_status == kTooBig && to - from > 1) {
      at_once = (to - from) / 2;
      continue;
    }
    const bool ours = heard.pdu && heard.pdu->values.size() == to - from;
    if (heard.error.empty() && !ours) heard.error = "the device answers another question";
    if (!heard.error.empty()) {
      answer.error = heard.error;
      co_return answer;
    }
    for (size_t i = from; i < to; ++i) {
      SnmpValue& value = heard.pdu->values[i - from];
      if (value.oid != oids[i]) value = {oids[i], SnmpType::kAbsent, 0, "", {}};
      answer.values.push_back(std::move(value));
    }
    from = to;
  }
  co_return answer;
}

boost::asio::awaitable<SnmpAnswer> SnmpSession::Walk(Oid root, size_t max) {
  SnmpAnswer answer;
  Oid last = root;
  int64_t at_once = kBulk;
  while (answer.values.size() < max) {
    SnmpPdu pdu;
    pdu.type = PduType::kGetBulk;
    pdu.error_index = at_once;
    pdu.values.push_back({last, {}, 0, "", {}});
    Heard heard = co_await Request(std::move(pdu));
    // Some say so (net-snmp by genErr) where they should have cut the answer.
    if (heard.pdu && heard.pdu->error_status != 0 && at_once > 1) {
      at_once /= 2;
      continue;
    }
    if (!heard.error.empty()) {
      answer.error = heard.error;
      co_return answer;
    }
    if (heard.pdu->values.empty()) co_return answer;
    for (SnmpValue& value : heard.pdu->values) {
      if (value.type == SnmpType::kAbsent || !IsUnder(value.oid, root)) co_return answer;
      if (value.oid <= last) {
        answer.error = "the device's table goes in circles";
        co_return answer;
      }
      last = value.oid;
      answer.values.push_back(std::move(value));
      if (answer.values.size() >= max) break;
    }
  }
  co_return answer;
}

}  // namespace oppetid::agent
