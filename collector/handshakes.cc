#include "collector/handshakes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>

namespace oppetid::collector {
namespace {

// About 100 kB each while it lasts. An honest one takes some milliseconds of CPU, so a fleet that
// reconnects is through before this many have waited their second.
constexpr size_t kMaxUnderWay = 1'024;
constexpr Millis kTime{10'000};
constexpr Millis kTimeWhenOthersWait{1'000};
constexpr Millis kLookEvery{100};

// The peer of a connected socket; empty when it has gone.
std::string PeerOf(int fd) {
  boost::asio::ip::tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (::getpeername(fd, endpoint.data(), &size) != 0) return "";
  endpoint.resize(size);
  const std::string ip = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(endpoint.port());
}

bool HasEnded(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

std::string PeerAddress(const std::string& grpc_peer) {
  std::string address = grpc_peer.substr(grpc_peer.find(':') + 1);
  const auto replace = [&](std::string_view what, std::string_view with) {
    const size_t at = address.find(what);
    if (at != std::string::npos) address.replace(at, what.size(), with);
  };
  replace("%5B", "[");
  replace("%5D", "]");
  return address;
}

Handshakes::Handshakes(boost::asio::any_io_executor executor, Counters& counters,
                       std::function<void()> on_room)
    : timer_(std::move(executor)), counters_(counters), on_room_(std::move(on_room)) {}

Handshakes::~Handshakes() { Close(); }

bool Handshakes::HasRoom() {
  wanted_ = connections_.size() >= kMaxUnderWay;
  return !wanted_;
}

void Handshakes::Begin(int fd) {
  const std::string peer = PeerOf(fd);
  const int second = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (second < 0) {
    counters_.Reject("accept", peer, "no descriptor left");
    ::shutdown(fd, SHUT_RDWR);
    return;
  }
  connections_.push_back({peer, second, std::chrono::steady_clock::now()});
  by_peer_[peer] = std::prev(connections_.end());
  if (!ticking_) Tick();
}

void Handshakes::Established(const std::string& peer) {
  const auto found = by_peer_.find(PeerAddress(peer));
  if (found == by_peer_.end()) return;  // not its first stream
  Remove(found->second, kAccepted);
  if (wanted_) on_room_();
}

// Looks at them all now and then: those that have had their time, and those that ended in gRPC,
// which tells nobody.
void Handshakes::Tick() {
  const Steady now = std::chrono::steady_clock::now();
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto one = it++;
    const bool late = now - one->since >= (wanted_ ? kTimeWhenOthersWait : kTime);
    if (HasEnded(one->fd)) {
      Remove(one, kAccepted);
    } else if (late) {
      Remove(one, "handshake_timeout");
    }
  }
  if (wanted_ && connections_.size() < kMaxUnderWay) on_room_();
  ticking_ = !connections_.empty();
  if (!ticking_) return;
  timer_.expires_after(kLookEvery);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) Tick();
  });
}

void Handshakes::Remove(List::iterator connection, Reason reason) {
  if (reason != kAccepted) {
    counters_.Reject(reason, connection->peer);
    // gRPC sees its end and lets go.
    ::shutdown(connection->fd, SHUT_RDWR);
  }
  ::close(connection->fd);
  const auto found = by_peer_.find(connection->peer);
  if (found != by_peer_.end() && found->second == connection) by_peer_.erase(found);
  connections_.erase(connection);
}

void Handshakes::Close() {
  timer_.cancel();
  wanted_ = false;
  while (!connections_.empty()) Remove(connections_.begin(), kAccepted);
}

}  // namespace oppetid::collector
