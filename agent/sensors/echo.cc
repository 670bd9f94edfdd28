#include "agent/sensors/echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "agent/sensors/datagram.h"
#include "agent/sensors/net.h"

namespace oppetid::agent {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr int64_t kMaxCount = 20;      // a check is no load test
constexpr size_t kHeaderBytes = 8;     // type, code, checksum, identifier, sequence
constexpr size_t kNonceBytes = 8;      // against forged and mistaken answers
constexpr size_t kPacketBytes = 64;    // what ping(8) sends
constexpr size_t kMaxReceived = 1500;  // replies are as long as requests, an IP header apart
constexpr size_t kMinIpHeader = 20;
// Packets of others taken from the raw socket in one go, before the loop's other work goes on.
constexpr int kMaxBurst = 64;

struct Opened {
  int fd = -1;
  EchoSocket kind = EchoSocket::kDatagram;
  std::string error;
};

// One asking, from the first request to the judgement.
struct Round {
  std::shared_ptr<stream_descriptor> socket;
  EchoSocket kind = EchoSocket::kDatagram;
  bool v6 = false;
  uint16_t id = 0;
  uint64_t nonce = 0;
  std::vector<Steady> sent;
  std::vector<std::optional<Steady::duration>> trips;
  size_t answered = 0;
  std::string send_error;
};

uint16_t ReadShort(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void PutShort(std::span<uint8_t> bytes, size_t at, uint16_t number) {
  bytes[at] = static_cast<uint8_t>(number >> 8);
  bytes[at + 1] = static_cast<uint8_t>(number & 0xFF);
}

// RFC 1071. Only the raw IPv4 socket needs it; elsewhere the kernel fills it in.
uint16_t Checksum(std::span<const uint8_t> bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += ReadShort(bytes, i);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::array<uint8_t, kPacketBytes> EchoRequest(const Round& round, size_t sequence) {
  std::array<uint8_t, kPacketBytes> packet{};
  packet[0] = round.v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  PutShort(packet, 4, round.id);
  PutShort(packet, 6, static_cast<uint16_t>(sequence));
  std::memcpy(packet.data() + kHeaderBytes, &round.nonce, kNonceBytes);
  PutShort(packet, 2, Checksum(packet));
  return packet;
}

std::string ErrorText(int error) { return std::generic_category().message(error); }

Opened Open(const OpenSocket& open_socket, bool v6) {
  const int family = v6 ? AF_INET6 : AF_INET;
  const int protocol = v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  Opened opened;
  opened.fd = open_socket(family, SOCK_DGRAM | kFlags, protocol);
  if (opened.fd >= 0) return opened;
  const bool datagram_refused = errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT;
  if (datagram_refused) {
    opened.kind = EchoSocket::kRaw;
    opened.fd = open_socket(family, SOCK_RAW | kFlags, protocol);
    if (opened.fd >= 0) return opened;
  }
  if (errno == EACCES || errno == EPERM) {
    opened.error =
        "not allowed to send ICMP: set `sysctl net.ipv4.ping_group_range=\"0 2147483647\"`, or "
        "give the agent CAP_NET_RAW";
  } else {
    opened.error = "cannot open a socket for ICMP: " + ErrorText(errno);
  }
  return opened;
}

// Only echo replies from the target reach us; an error here only costs needless wake-ups.
void FilterRaw(int fd, bool v6) {
  if (v6) {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  } else {
    constexpr int kIcmpFilter = 1;  // ICMP_FILTER of linux/icmp.h, which netinet's header excludes
    const uint32_t blocked = ~(uint32_t{1} << ICMP_ECHOREPLY);
    ::setsockopt(fd, SOL_RAW, kIcmpFilter, &blocked, sizeof blocked);
  }
}

// 0, or errno.
int ConnectTo(int fd, const boost::asio::ip::address& address) {
  int result = 0;
  if (address.is_v6()) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    const auto bytes = address.to_v6().to_bytes();
    std::memcpy(&to.sin6_addr, bytes.data(), bytes.size());
    to.sin6_scope_id = static_cast<uint32_t>(address.to_v6().scope_id());
    result = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    const auto bytes = address.to_v4().to_bytes();
    std::memcpy(&to.sin_addr, bytes.data(), bytes.size());
    result = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  return result == 0 ? 0 : errno;
}

void Send(Round& round, Steady now) {
  const auto packet = EchoRequest(round, round.sent.size());
  round.sent.push_back(now);
  round.trips.emplace_back();
  const ssize_t sent = ::send(round.socket->native_handle(), packet.data(), packet.size(), 0);
  if (sent < 0) round.send_error = ErrorText(errno);  // counts as lost, like any other
}

// Takes what has arrived. Errors that the kernel reports here (unreachable) leave a request lost.
void Receive(Round& round, const Clock& clock) {
  std::array<uint8_t, kMaxReceived> buffer;
  for (int i = 0; i < kMaxBurst; ++i) {
    const ssize_t size = ::recv(round.socket->native_handle(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size < 0) continue;
    const auto packet = std::span<const uint8_t>(buffer).first(static_cast<size_t>(size));
    const auto reply = ParseEchoReply(packet, round.v6, round.kind);
    if (!reply || reply->nonce != round.nonce || reply->sequence >= round.sent.size()) continue;
    // The kernel chooses, and matches, the identifier of a datagram socket.
    if (round.kind == EchoSocket::kRaw && reply->id != round.id) continue;
    auto& trip = round.trips[reply->sequence];
    if (trip) continue;  // a duplicate
    trip = clock.SteadyNow() - round.sent[reply->sequence];
    ++round.answered;
  }
}

}  // namespace

std::optional<EchoReply> ParseEchoReply(std::span<const uint8_t> packet, bool v6, EchoSocket kind) {
  if (kind == EchoSocket::kRaw && !v6) {
    if (packet.size() < kMinIpHeader) return std::nullopt;
    const size_t header = static_cast<size_t>(packet[0] & 0xF) * 4;  // raw IPv4 shows its header
    if (header < kMinIpHeader || packet.size() < header) return std::nullopt;
    packet = packet.subspan(header);
  }
  if (packet.size() < kHeaderBytes + kNonceBytes) return std::nullopt;
  const uint8_t expected = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
  if (packet[0] != expected || packet[1] != 0) return std::nullopt;
  EchoReply reply;
  reply.id = ReadShort(packet, 4);
  reply.sequence = ReadShort(packet, 6);
  std::memcpy(&reply.nonce, packet.data() + kHeaderBytes, kNonceBytes);
  return reply;
}

boost::asio::awaitable<EchoResult> Echo::Run() {
  EchoResult result;
  const Resolved resolved = co_await Resolve(world_, burst_.target);
  result.could_not_ask = resolved.error;
  if (!result.could_not_ask.empty()) co_return result;
  const auto address = resolved.addresses.front();
  const Opened opened = Open(open_socket_, address.is_v6());
  result.could_not_ask = opened.error;
  if (opened.fd < 0) co_return result;
  Round round;
  round.socket = std::make_shared<stream_descriptor>(world_.executor, opened.fd);
  round.kind = opened.kind;
  round.v6 = address.is_v6();
  round.id = static_cast<uint16_t>(random_());
  round.nonce = uint64_t{random_()} << 32 | random_();
  if (round.kind == EchoSocket::kRaw) FilterRaw(opened.fd, round.v6);
  const int refused = ConnectTo(opened.fd, address);
  result.trips.resize(static_cast<size_t>(burst_.count));
  if (refused != 0) {
    result.fault = burst_.target + ": " + ErrorText(refused);
    co_return result;
  }
  const size_t count = result.trips.size();
  while (round.answered < count) {
    Send(round, world_.clock.SteadyNow());
    const bool last = round.sent.size() == count;
    const Steady until =
        std::chrono::steady_clock::now() + (last ? burst_.patience : burst_.interval);
    // No `&& co_await` here: g++ 12 awaits its right side whatever the left one says.
    while (round.answered < round.sent.size() || !last) {
      const bool readable = co_await ReadableBefore(round.socket, until);
      if (!readable) break;
      Receive(round, world_.clock);
    }
    if (last) break;
  }
  std::copy(round.trips.begin(), round.trips.end(), result.trips.begin());
  if (!round.send_error.empty()) result.fault = "cannot send: " + round.send_error;
  co_return result;
}

int64_t EchoResult::lost() const { return std::count(trips.begin(), trips.end(), std::nullopt); }

std::optional<Steady::duration> EchoResult::mean() const {
  const int64_t answered = static_cast<int64_t>(trips.size()) - lost();
  std::optional<Steady::duration> rtt;
  for (const auto& trip : trips) {
    if (trip) rtt = rtt.value_or(Steady::duration::zero()) + *trip / answered;
  }
  return rtt;
}

std::optional<Steady::duration> EchoResult::jitter() const {
  Steady::duration sum{};
  int64_t pairs = 0;
  for (size_t i = 1; i < trips.size(); ++i) {
    if (!trips[i - 1] || !trips[i]) continue;
    const auto difference = *trips[i] - *trips[i - 1];
    sum += difference < Steady::duration::zero() ? -difference : difference;
    ++pairs;
  }
  if (pairs == 0) return std::nullopt;
  return sum / pairs;
}

EchoBurst ReadEchoBurst(YamlMap& config, EchoBurst defaults) {
  EchoBurst burst = std::move(defaults);
  burst.target = config.RequiredString("target");
  if (burst.target.size() > 253) config.Fault("target", "`target`: a name has at most 253 bytes");
  burst.count = config.Int("count", 1, kMaxCount, burst.count);
  // Less than 10 ms between packets is a flood.
  burst.interval = config.Duration("interval", Millis(10), std::chrono::seconds(5), burst.interval);
  burst.patience =
      config.Duration("patience", Millis(10), std::chrono::seconds(30), burst.patience);
  return burst;
}

EchoLimits ReadEchoLimits(YamlMap& levels, EchoLimits defaults) {
  EchoLimits limits = defaults;
  if (const auto loss = levels.PercentOf("loss")) limits.loss = loss;
  if (limits.loss && limits.loss->millionths == 0) {
    levels.Fault("loss", "`loss`: 0 % is always reached; give more");
  }
  if (const auto rtt = levels.Duration("rtt", Millis(1), std::chrono::minutes(1))) limits.rtt = rtt;
  return limits;
}

bool Reaches(const EchoLimits& limits, const EchoResult& result) {
  const auto count = static_cast<int64_t>(result.trips.size());
  const auto mean = result.mean();
  const auto jitter = result.jitter();
  return (limits.loss && result.lost() * 100'000'000 >= limits.loss->millionths * count) ||
         (limits.rtt && mean && *mean >= *limits.rtt) ||
         (limits.jitter && jitter && *jitter >= *limits.jitter);
}

OpenSocket SystemSocket() {
  return [](int family, int type, int protocol) { return ::socket(family, type, protocol); };
}

}  // namespace oppetid::agent
