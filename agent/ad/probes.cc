#include "agent/ad/probes.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <random>

#include "agent/sensors/ad_kerberos.h"
#include "agent/sensors/ad_smb.h"
#include "agent/sensors/dns_message.h"
#include "common/clock.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr uint16_t kKerberosPort = 88;
constexpr uint16_t kDnsPort = 53;
constexpr uint16_t kSntpPort = 123;
constexpr uint16_t kSmbPort = 445;
constexpr size_t kMaxDatagram = 65'535;
constexpr size_t kMaxTcpReply = 65'536;  // what DNS can say; an error of Kerberos has 200 bytes
constexpr auto kDatagramPatience = std::chrono::milliseconds(1000);  // then it counts as lost
constexpr int kDatagramAttempts = 2;

AdDeadline Sooner(AdDeadline until) { return std::min(until, Within(kDatagramPatience)); }

// Each message has its length in front, in so many bytes.
std::string ExchangeOverTcp(const AdAddress& address, uint16_t port, size_t length_bytes,
                            const std::string& request, AdDeadline until, std::string& trouble) {
  Socket socket = Socket::Open(address, SOCK_STREAM, port, until, trouble);
  if (!socket.open()) return "";
  std::string framed;
  for (size_t i = length_bytes; i-- > 0;) {
    framed += static_cast<char>(request.size() >> 8 * i & 0xFF);
  }
  trouble = socket.Send(framed + request, until);
  if (!trouble.empty()) return "";
  const std::string prefix = socket.ReceiveAll(length_bytes, until, trouble);
  if (prefix.empty()) return "";
  size_t size = 0;
  for (const char byte : prefix) size = size << 8 | static_cast<uint8_t>(byte);
  if (size == 0 || size > kMaxTcpReply) {
    trouble = "an answer of a size that none has";
    return "";
  }
  return socket.ReceiveAll(size, until, trouble);
}

std::string ExchangeOverUdp(const AdAddress& address, uint16_t port, const std::string& request,
                            AdDeadline until, std::string& trouble) {
  Socket socket = Socket::Open(address, SOCK_DGRAM, port, until, trouble);
  if (!socket.open()) return "";
  for (int attempt = 0; attempt < kDatagramAttempts; ++attempt) {
    trouble = socket.Send(request, until);
    if (!trouble.empty()) return "";
    std::string reply = socket.Receive(kMaxDatagram, Sooner(until), trouble);
    if (!reply.empty()) return reply;
    if (trouble != "no answer in time") return "";  // the port is closed
  }
  return "";
}

std::optional<DnsReply> AskDns(const AdAddress& address, const std::string& name, DnsType type,
                               AdDeadline until, std::string& trouble) {
  const auto normal = NormalDnsName(name);
  if (!normal) {
    trouble = "no possible name: " + name;
    return std::nullopt;
  }
  std::random_device random;
  const auto id = static_cast<uint16_t>(random());
  const std::vector<uint8_t> query = BuildDnsQuery(id, *normal, type);
  const std::string request(query.begin(), query.end());
  const auto parse = [](const std::string& bytes) {
    return ParseDnsReply(
        std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  };
  std::string bytes = ExchangeOverUdp(address, kDnsPort, request, until, trouble);
  if (bytes.empty()) return std::nullopt;
  auto reply = parse(bytes);
  if (reply && reply->truncated) {  // the controllers of a large domain do not fit
    bytes = ExchangeOverTcp(address, kDnsPort, 2, request, until, trouble);
    if (bytes.empty()) return std::nullopt;
    reply = parse(bytes);
  }
  constexpr uint8_t kNoError = 0;
  constexpr uint8_t kNoSuchName = 3;
  if (!reply || reply->id != id) {
    trouble = "no answer that fits the question";
    return std::nullopt;
  }
  if (reply->rcode != kNoError && reply->rcode != kNoSuchName) {
    trouble = DnsRcodeName(reply->rcode);
    return std::nullopt;
  }
  return reply;
}

// --- TLS ----------------------------------------------------------------------------------------

using SslPtr = std::unique_ptr<SSL, decltype(&SSL_free)>;
using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

std::string ShakeHands(SSL* ssl, int fd, AdDeadline until) {
  for (;;) {
    const int done = SSL_connect(ssl);
    if (done == 1) return "";
    const int wants = SSL_get_error(ssl, done);
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
      return "TLS handshake failed";
    }
    const short events = wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    pollfd waiting{fd, events, 0};
    if (::poll(&waiting, 1, MillisLeft(until)) == 0) return "no TLS handshake in time";
  }
}

std::optional<AdCertificate> JudgeCertificate(SSL* ssl, const std::string& name, Instant now) {
  const std::unique_ptr<X509, decltype(&X509_free)> leaf(SSL_get1_peer_certificate(ssl), X509_free);
  std::tm parts{};
  if (leaf == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(leaf.get()), &parts) != 1) {
    return std::nullopt;
  }
  AdCertificate certificate;
  certificate.expiry = FromUnixMillis(static_cast<int64_t>(::timegm(&parts)) * 1000);
  const long verdict = SSL_get_verify_result(ssl);
  if (certificate.expiry < now) {
    certificate.trouble = "expired at " + FormatInstant(certificate.expiry);
  } else if (verdict != X509_V_OK) {
    certificate.trouble = std::string("not trusted: ") + X509_verify_cert_error_string(verdict);
  } else if (X509_check_host(leaf.get(), name.data(), name.size(), 0, nullptr) != 1) {
    certificate.trouble = "not for " + name;
  }
  return certificate;
}

}  // namespace

KerberosSeen ProbeKerberos(const AdAddress& address, const std::string& account,
                           const std::string& realm, AdDeadline until) {
  KerberosSeen seen;
  std::random_device random;
  const std::string request = BuildAsRequest(account, realm, random());
  const SystemClock clock;
  const Stopwatch watch;
  Instant asked = clock.Now();
  std::string bytes =
      ExchangeOverUdp(address, kKerberosPort, request, Sooner(until), seen.probe.trouble);
  if (bytes.empty()) {
    asked = clock.Now();
    bytes = ExchangeOverTcp(address, kKerberosPort, 4, request, until, seen.probe.trouble);
  }
  const Instant answered = clock.Now();
  seen.probe.seconds = watch.seconds();
  if (bytes.empty()) return seen;
  const auto reply = ParseKerberosReply(bytes);
  if (!reply) {
    seen.probe.trouble = "no Kerberos answer";
    return seen;
  }
  seen.error = reply->error;
  seen.probe.ok = ServesRealm(reply->error);
  if (!seen.probe.ok) seen.probe.trouble = "Kerberos error " + std::to_string(reply->error);
  if (reply->time) seen.skew = *reply->time - (asked + (answered - asked) / 2);
  return seen;
}

std::optional<std::vector<std::string>> AskServers(const AdAddress& address,
                                                   const std::string& name, AdDeadline until,
                                                   std::string& trouble) {
  const auto reply = AskDns(address, name, DnsType::kSrv, until, trouble);
  if (!reply) return std::nullopt;
  std::vector<std::string> targets;
  for (const DnsRecord& record : reply->answers) {
    if (record.type != static_cast<uint16_t>(DnsType::kSrv)) continue;
    targets.push_back(record.value.substr(record.value.rfind(' ') + 1));
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

std::optional<bool> AskAlias(const AdAddress& address, const std::string& name, AdDeadline until,
                             std::string& trouble) {
  const auto reply = AskDns(address, name, DnsType::kCname, until, trouble);
  if (!reply) return std::nullopt;
  return std::any_of(reply->answers.begin(), reply->answers.end(), [](const DnsRecord& record) {
    return record.type == static_cast<uint16_t>(DnsType::kCname);
  });
}

SntpSeen ProbeSntp(const AdAddress& address, AdDeadline until) {
  SntpSeen seen;
  std::random_device random;
  const uint64_t cookie = static_cast<uint64_t>(random()) << 32 | random();
  const SystemClock clock;
  const Stopwatch watch;
  const Instant asked = clock.Now();
  const std::string bytes =
      ExchangeOverUdp(address, kSntpPort, BuildSntpRequest(cookie), until, seen.probe.trouble);
  const Instant answered = clock.Now();
  seen.probe.seconds = watch.seconds();
  if (bytes.empty()) return seen;
  const auto time = ParseSntpReply(bytes, cookie);
  if (!time) {
    seen.probe.trouble = "no time in its answer, or not a synchronised one";
    return seen;
  }
  seen.probe.ok = true;
  seen.skew = *time - (asked + (answered - asked) / 2);
  return seen;
}

AdProbe ProbeSmb(const AdAddress& address, AdDeadline until) {
  AdProbe probe;
  const Stopwatch watch;
  Socket socket = Socket::Open(address, SOCK_STREAM, kSmbPort, until, probe.trouble);
  if (socket.open()) probe.trouble = socket.Send(BuildSmbNegotiate(), until);
  if (socket.open() && probe.trouble.empty()) {
    const size_t size = SmbReplyBytes(socket.ReceiveAll(4, until, probe.trouble));
    if (size == 0 && probe.trouble.empty()) probe.trouble = "no SMB answer";
    if (size > 0) {
      const std::string reply = socket.ReceiveAll(size, until, probe.trouble);
      if (!reply.empty()) probe.trouble = JudgeSmbReply(reply);
    }
  }
  probe.ok = probe.trouble.empty();
  probe.seconds = watch.seconds();
  return probe;
}

TlsSeen ProbeTls(const AdAddress& address, uint16_t port, const std::string& name,
                 const std::string& ca, AdDeadline until) {
  TlsSeen seen;
  const Stopwatch watch;
  const Socket socket = Socket::Open(address, SOCK_STREAM, port, until, seen.probe.trouble);
  if (socket.open()) {
    const ContextPtr context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // judged afterwards
    if (ca.empty() ? SSL_CTX_set_default_verify_paths(context.get()) != 1
                   : SSL_CTX_load_verify_file(context.get(), ca.c_str()) != 1) {
      seen.probe.trouble = "cannot read the authorities in " + ca;
    }
    const SslPtr ssl(SSL_new(context.get()), SSL_free);
    SSL_set_fd(ssl.get(), socket.fd());
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    if (seen.probe.trouble.empty()) {
      seen.probe.trouble = ShakeHands(ssl.get(), socket.fd(), until);
    }
    if (seen.probe.trouble.empty()) {
      seen.certificate = JudgeCertificate(ssl.get(), name, SystemClock().Now());
      if (seen.certificate) seen.certificate->port = port;
    }
    ERR_clear_error();
  }
  seen.probe.ok = seen.probe.trouble.empty();
  seen.probe.seconds = watch.seconds();
  return seen;
}

}  // namespace oppetid::agent
