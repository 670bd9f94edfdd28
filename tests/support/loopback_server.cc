#include "tests/support/loopback_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace oppetid {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;

struct LoopbackServer::State {
  State(asio::io_context& io, Play p)
      : acceptor(io, {asio::ip::address_v4::loopback(), 0}), play(std::move(p)) {}

  tcp::acceptor acceptor;
  Play play;
  std::optional<asio::ssl::context> tls;
  std::vector<std::string> requests;
  std::vector<std::string> server_names;
  int connections = 0;
};

namespace {

using Shared = std::shared_ptr<LoopbackServer::State>;
constexpr size_t kMaxRequest = 100'000;

template <typename Stream>
asio::awaitable<void> Serve(Shared state, std::shared_ptr<Stream> stream) {
  boost::system::error_code error;
  std::string request;
  co_await asio::async_read_until(*stream, asio::dynamic_buffer(request, kMaxRequest), "\r\n\r\n",
                                  redirect_error(use_awaitable, error));
  if (error) co_return;
  state->requests.push_back(request);
  const Part part = state->play(request);
  co_await asio::async_write(*stream, asio::buffer(part.bytes),
                             redirect_error(use_awaitable, error));
  while (!error && !part.endlessly.empty()) {
    co_await asio::async_write(*stream, asio::buffer(part.endlessly),
                               redirect_error(use_awaitable, error));
  }
  if (!error && part.stays_silent) {
    char byte = 0;  // until the client goes
    co_await stream->async_read_some(asio::buffer(&byte, 1), redirect_error(use_awaitable, error));
  }
}

// Called while the client still shakes hands, so a test finds the name once the client is done.
int NoteServerName(SSL* handle, int*, void* state) {
  const char* name = SSL_get_servername(handle, TLSEXT_NAMETYPE_host_name);
  static_cast<LoopbackServer::State*>(state)->server_names.emplace_back(name == nullptr ? ""
                                                                                        : name);
  return SSL_TLSEXT_ERR_OK;
}

asio::awaitable<void> ServeTls(Shared state, tcp::socket socket) {
  auto stream = std::make_shared<asio::ssl::stream<tcp::socket>>(std::move(socket), *state->tls);
  boost::system::error_code error;
  co_await stream->async_handshake(asio::ssl::stream_base::server,
                                   redirect_error(use_awaitable, error));
  if (error) co_return;
  co_await Serve(state, stream);
}

asio::awaitable<void> Accept(Shared state) {
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket =
        co_await state->acceptor.async_accept(redirect_error(use_awaitable, error));
    if (error) co_return;
    ++state->connections;
    const auto executor = state->acceptor.get_executor();
    if (state->tls) {
      asio::co_spawn(executor, ServeTls(state, std::move(socket)), asio::detached);
    } else {
      auto stream = std::make_shared<tcp::socket>(std::move(socket));
      asio::co_spawn(executor, Serve(state, std::move(stream)), asio::detached);
    }
  }
}

}  // namespace

LoopbackServer::LoopbackServer(asio::io_context& io, Play play,
                               std::optional<TestCertificate> identity)
    : state_(std::make_shared<State>(io, std::move(play))) {
  if (identity) {
    state_->tls.emplace(asio::ssl::context::tls_server);
    state_->tls->use_certificate_chain(asio::buffer(identity->certificate));
    state_->tls->use_private_key(asio::buffer(identity->key), asio::ssl::context::pem);
    SSL_CTX_set_tlsext_servername_callback(state_->tls->native_handle(), NoteServerName);
    SSL_CTX_set_tlsext_servername_arg(state_->tls->native_handle(), state_.get());
  }
  asio::co_spawn(io, Accept(state_), asio::detached);
}

LoopbackServer::~LoopbackServer() { state_->acceptor.close(); }

uint16_t LoopbackServer::port() const { return state_->acceptor.local_endpoint().port(); }
const std::vector<std::string>& LoopbackServer::requests() const { return state_->requests; }
const std::vector<std::string>& LoopbackServer::server_names() const {
  return state_->server_names;
}
int LoopbackServer::connections() const { return state_->connections; }

std::string HttpReply(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Text\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n" +
         headers + "\r\n" + body;
}

}  // namespace oppetid
