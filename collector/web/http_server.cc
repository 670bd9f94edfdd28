#include "collector/web/http_server.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/parse.hpp>
#include <list>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "collector/endpoint.h"
#include "collector/web/http_answer.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using Unix = boost::asio::local::stream_protocol;

constexpr uint32_t kHeaderBytes = 16'384;
constexpr uint64_t kBodyBytes = 1'000'000;  // a catalogue or a batch of tickets
constexpr auto kHandshake = std::chrono::seconds(10);
constexpr size_t kMaxConnections = 256;  // of a listener: Prometheus, a few dashboards, people

std::optional<HttpRequest> ToRequest(const http::request<http::string_body>& message) {
  HttpRequest request;
  const auto url = boost::urls::parse_origin_form(message.target());
  if (!url) return std::nullopt;
  request.method = std::string(message.method_string());
  request.path = url->path();
  for (const auto& parameter : url->params()) request.query[parameter.key] = parameter.value;
  request.body = message.body();
  const std::string_view authorization = message[http::field::authorization];
  constexpr std::string_view kBearer = "Bearer ";
  if (beast::iequals(authorization.substr(0, kBearer.size()), kBearer)) {
    request.bearer = authorization.substr(kBearer.size());
  }
  request.accepts_gzip =
      message[http::field::accept_encoding].find("gzip") != beast::string_view::npos;
  return request;
}

// The connections of one listener: whoever reaches the TCP port must not be able to take
// admin.sock's.
struct Crowd {
  // Ends the one that has been without a request for longest, so that silence keeps nobody out.
  // False when all are being answered.
  bool MakeRoom() {
    if (silent.empty()) return false;
    silent.front()();
    // It leaves the list itself, when it sees its end.
    silent.splice(silent.end(), silent, silent.begin());
    return true;
  }

  size_t connections = 0;
  std::list<std::function<void()>> silent;  // how to end each, the oldest first
};

}  // namespace

struct HttpServer::Shared {
  boost::asio::any_io_executor executor;
  BlockingPool& pool;
  HttpHandler handler;
  Crowd tcp{}, admin{};
  bool closing = false;
  std::shared_ptr<ssl::context> tls = nullptr;  // connections keep the one they began with
};

namespace {

// Where a connection comes from.
struct Origin {
  bool admin = false;
  bool loopback = true;
  std::string user;
};

// The user at the other end of a Unix socket, as the kernel knows it.
std::string PeerUser(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "?";
  std::array<char, 4096> buffer{};
  passwd entry{}, *found = nullptr;
  ::getpwuid_r(peer.uid, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? std::string(found->pw_name) : absl::StrCat("uid ", peer.uid);
}

// Waits for a handler's answer, which comes on the same thread.
boost::asio::awaitable<HttpResponse> Handle(boost::asio::any_io_executor executor,
                                            const HttpHandler& handler, HttpRequest request) {
  struct Slot {
    explicit Slot(const boost::asio::any_io_executor& e)
        : timer(e, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer timer;
    std::optional<HttpResponse> response;
  };
  const auto slot = std::make_shared<Slot>(executor);
  HttpDone done = [slot](HttpResponse response) {
    slot->response = std::move(response);
    slot->timer.cancel();
  };
  handler(std::move(request), std::move(done));
  while (!slot->response) {
    boost::system::error_code ignored;
    co_await slot->timer.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }
  co_return std::move(*slot->response);
}

// Serves one connection until it ends, errs or idles.
template <typename Stream, typename Shared>
boost::asio::awaitable<void> Serve(std::shared_ptr<Shared> shared, Stream stream, Origin origin) {
  Crowd& crowd = origin.admin ? shared->admin : shared->tcp;
  const std::function<void()> end = [&stream] { beast::get_lowest_layer(stream).close(); };
  beast::flat_buffer buffer;
  bool alive = true;
  while (alive && !shared->closing) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytes);
    parser.body_limit(kBodyBytes);
    boost::system::error_code error;
    beast::get_lowest_layer(stream).expires_after(kHttpIdle);
    const auto silent = crowd.silent.insert(crowd.silent.end(), end);
    co_await http::async_read(stream, buffer, parser,
                              boost::asio::redirect_error(boost::asio::use_awaitable, error));
    crowd.silent.erase(silent);
    if (error == http::error::body_limit || error == http::error::header_limit) {
      HttpResponse answer;
      answer.status = error == http::error::body_limit ? 413 : 431;
      answer.body = "too large\n";
      co_await WriteAnswer(stream, shared->pool, std::move(answer), AnswerForm{});
    }
    if (error) break;
    AnswerForm form;
    form.chunked = parser.get().version() >= 11;
    form.keep_alive = parser.get().keep_alive();
    form.head_only = parser.get().method() == http::verb::head;
    auto request = ToRequest(parser.get());
    HttpResponse answer;
    if (request) {
      request->admin = origin.admin;
      request->user = origin.user;
      request->loopback = origin.loopback;
      answer = co_await Handle(shared->executor, shared->handler, *std::move(request));
    } else {
      answer.status = 400;
      answer.body = "not a valid request\n";
    }
    const bool written = co_await WriteAnswer(stream, shared->pool, std::move(answer), form);
    alive = written && form.keep_alive;
  }
  --crowd.connections;
}

using TlsStream = beast::ssl_stream<beast::basic_stream<tcp>>;

// `context` outlives the stream, which only refers to it.
template <typename Shared>
boost::asio::awaitable<void> ServeTls(std::shared_ptr<Shared> shared,
                                      std::shared_ptr<ssl::context> context,
                                      beast::basic_stream<tcp> socket, Origin origin) {
  TlsStream stream(std::move(socket), *context);
  boost::system::error_code error;
  beast::get_lowest_layer(stream).expires_after(kHandshake);
  const std::function<void()> end = [&stream] { beast::get_lowest_layer(stream).close(); };
  const auto silent = shared->tcp.silent.insert(shared->tcp.silent.end(), end);
  // What the coroutine does later is taken for something done at the same time.
  // NOLINTNEXTLINE(bugprone-use-after-move)
  co_await stream.async_handshake(ssl::stream_base::server,
                                  boost::asio::redirect_error(boost::asio::use_awaitable, error));
  shared->tcp.silent.erase(silent);
  if (error) {
    --shared->tcp.connections;
    co_return;
  }
  co_await Serve(shared, std::move(stream), std::move(origin));
}

}  // namespace

HttpServer::HttpServer(boost::asio::any_io_executor executor, BlockingPool& pool,
                       HttpHandler handler)
    : shared_(std::make_shared<Shared>(Shared{executor, pool, std::move(handler)})),
      tcp_(executor),
      unix_(executor) {}

HttpServer::~HttpServer() = default;

template <typename Protocol>
boost::asio::awaitable<void> HttpServer::AcceptLoop(std::shared_ptr<Shared> shared,
                                                    typename Protocol::acceptor& acceptor) {
  constexpr bool kAdmin = std::is_same_v<Protocol, Unix>;
  while (!shared->closing) {
    boost::system::error_code error;
    typename Protocol::socket socket(shared->executor);
    co_await acceptor.async_accept(socket,
                                   boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (error == boost::asio::error::operation_aborted) co_return;
    if (error) {
      // No descriptors left, most likely: let some connections end first.
      boost::asio::steady_timer pause(shared->executor, std::chrono::milliseconds(100));
      co_await pause.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
      continue;
    }
    Crowd& crowd = kAdmin ? shared->admin : shared->tcp;
    // Where there is none, the socket closes by itself.
    if (crowd.connections >= kMaxConnections && !crowd.MakeRoom()) continue;
    ++crowd.connections;
    if constexpr (kAdmin) {
      Origin origin{true, true, PeerUser(socket.native_handle())};
      Spawn(shared->executor,
            Serve(shared, beast::basic_stream<Unix>(std::move(socket)), std::move(origin)),
            "an HTTP connection failed");
    } else {
      ServeTcp(std::move(socket));
    }
  }
}

void HttpServer::ServeTcp(tcp::socket socket) {
  boost::system::error_code error;
  Origin origin;
  origin.loopback = socket.remote_endpoint(error).address().is_loopback();
  beast::basic_stream<tcp> stream(std::move(socket));
  Spawn(shared_->executor,
        shared_->tls == nullptr ? Serve(shared_, std::move(stream), std::move(origin))
                                : ServeTls(shared_, shared_->tls, std::move(stream), origin),
        "an HTTP connection failed");
}

absl::Status HttpServer::SetTls(const std::string& certificate_pem, const std::string& key_pem) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(
      ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
  if (!error) context->use_certificate_chain(boost::asio::buffer(certificate_pem), error);
  if (!error) context->use_private_key(boost::asio::buffer(key_pem), ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS for HTTP: certificate and key do not fit: ", error.message()));
  }
  shared_->tls = std::move(context);
  return absl::OkStatus();
}

absl::Status HttpServer::ListenTcp(const std::string& address) {
  const auto parsed = ParseEndpoint(address);
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat(address, " is not ip:port"));
  const tcp::endpoint& endpoint = *parsed;
  boost::system::error_code error;
  tcp_.open(endpoint.protocol(), error);
  if (!error) tcp_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) tcp_.bind(endpoint, error);
  if (!error) tcp_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", error.message()));
  }
  port_ = tcp_.local_endpoint().port();
  Spawn(shared_->executor, AcceptLoop<tcp>(shared_, tcp_), "HTTP listener failed");
  return absl::OkStatus();
}

absl::Status HttpServer::ListenUnix(const std::string& path, int mode, const std::string& group) {
  ::unlink(path.c_str());  // stale: the ledger's lock says that no other collector runs here
  boost::system::error_code error;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket's path"));
  }
  const Unix::endpoint endpoint(path);
  unix_.open(endpoint.protocol(), error);
  const mode_t before = ::umask(0177);
  if (!error) unix_.bind(endpoint, error);
  ::umask(before);
  if (!error) unix_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", path, ": ", error.message()));
  }
  if (const ::group* found = ::getgrnam(group.c_str()); found != nullptr) {
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
      LogWarning("cannot give the socket to its group", {{"path", path}, {"group", group}});
    }
  }
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("chmod ", path));
  }
  unix_path_ = path;
  Spawn(shared_->executor, AcceptLoop<Unix>(shared_, unix_), "admin listener failed");
  return absl::OkStatus();
}

void HttpServer::Close() {
  shared_->closing = true;
  boost::system::error_code ignored;
  tcp_.close(ignored);
  unix_.close(ignored);
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

}  // namespace oppetid::collector
