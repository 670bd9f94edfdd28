#include "collector/acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "collector/endpoint.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

using boost::asio::ip::tcp;

// A socket that waits costs about 2 kB, in the kernel and here.
constexpr size_t kMaxWaiting = 4'096;
constexpr Millis kSpeakWithin{10'000};
// When accepting itself fails (no descriptors left), try again after this.
constexpr Millis kRetryAfter{100};

}  // namespace

struct Acceptor::Waiting {
  explicit Waiting(tcp::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}
  tcp::socket socket;
  boost::asio::steady_timer timer;
  std::list<std::shared_ptr<Waiting>>::iterator place;
  bool speaks = false;  // TLS, and waits for room
  bool done = false;
};

Acceptor::Acceptor(boost::asio::any_io_executor executor, Counters& counters)
    : executor_(std::move(executor)),
      counters_(counters),
      acceptor_(executor_),
      retry_(executor_),
      handshakes_(executor_, counters, [this] { Admit(); }) {}

Acceptor::~Acceptor() = default;

absl::Status Acceptor::Listen(const std::string& address, std::function<void(int)> speak_tls) {
  speak_tls_ = std::move(speak_tls);
  const auto parsed = ParseEndpoint(address);
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat(address, " is not ip:port"));
  const tcp::endpoint endpoint = *parsed;
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error)
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", error.message()));
  port_ = acceptor_.local_endpoint().port();
  AcceptNext();
  return absl::OkStatus();
}

void Acceptor::AcceptNext() {
  acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
    if (error == boost::asio::error::operation_aborted) return;
    if (error) {
      counters_.Reject("accept", "", error.message());
      retry_.expires_after(kRetryAfter);
      retry_.async_wait([this](boost::system::error_code stopped) {
        if (!stopped) AcceptNext();
      });
      return;
    }
    Await(std::move(socket));
    AcceptNext();
  });
}

void Acceptor::Await(tcp::socket socket) {
  if (waiting_.size() >= kMaxWaiting) Drop(waiting_.front(), "too_many_silent");
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const auto waiting = std::make_shared<Waiting>(std::move(socket));
  waiting->place = waiting_.insert(waiting_.end(), waiting);
  counters_.connections.Set(static_cast<double>(waiting_.size()));
  waiting->timer.expires_after(kSpeakWithin);
  waiting->timer.async_wait([this, waiting](boost::system::error_code error) {
    if (error || waiting->done) return;
    Drop(waiting, waiting->speaks ? "too_many_handshakes" : "silent_connection");
  });
  waiting->socket.async_wait(tcp::socket::wait_read,
                             [this, waiting](boost::system::error_code error) {
                               if (!error && !waiting->done) Inspect(waiting);
                             });
}

void Acceptor::Inspect(const std::shared_ptr<Waiting>& waiting) {
  std::array<unsigned char, 2> head{};
  const ssize_t got =
      ::recv(waiting->socket.native_handle(), head.data(), head.size(), MSG_PEEK | MSG_DONTWAIT);
  constexpr unsigned char kTlsHandshake = 0x16, kTlsMajor = 0x03;  // RFC 8446, 5.1
  if (got <= 0) {
    // Somebody looked whether the port is open, as our own tcp sensor does: nothing was refused.
    Forget(waiting);
  } else if (head[0] != kTlsHandshake || (got > 1 && head[1] != kTlsMajor)) {
    Drop(waiting, "not_tls");
  } else {
    if (ready_.size() >= 2 * kMaxWaiting) {
      std::erase_if(ready_, [](const auto& one) { return one.expired(); });
    }
    waiting->speaks = true;
    ready_.push_back(waiting);
    Admit();
  }
}

// Those that speak TLS begin their handshakes, as far as there is room.
void Acceptor::Admit() {
  while (!ready_.empty() && handshakes_.HasRoom()) {
    const auto waiting = ready_.back().lock();
    ready_.pop_back();
    if (waiting == nullptr || waiting->done) continue;
    Forget(waiting);
    handshakes_.Begin(waiting->socket.native_handle());
    speak_tls_(waiting->socket.release());
  }
}

void Acceptor::Drop(std::shared_ptr<Waiting> waiting, Reason reason) {
  boost::system::error_code error;
  const auto peer = waiting->socket.remote_endpoint(error);
  counters_.Reject(reason, error ? "?" : peer.address().to_string());
  Forget(waiting);
  waiting->socket.close(error);
}

void Acceptor::Forget(std::shared_ptr<Waiting> waiting) {
  waiting->done = true;
  waiting->timer.cancel();
  waiting_.erase(waiting->place);
  counters_.connections.Set(static_cast<double>(waiting_.size()));
}

void Acceptor::Close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  handshakes_.Close();
  while (!waiting_.empty()) {
    const auto waiting = waiting_.front();
    Forget(waiting);
    waiting->socket.close(ignored);
  }
}

}  // namespace oppetid::collector
