#include "agent/sensors/http_exchange.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include "common/text.h"

namespace oppetid::agent {
namespace {

namespace http = boost::beast::http;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;

constexpr uint32_t kMaxHeaderBytes = 65'536;  // twice what common servers can be made to send
constexpr size_t kChunkBytes = 16'384;        // one TLS record
constexpr int kMaxInterim = 8;                // responses 100 to 199 before the real one
constexpr size_t kMaxLocation = 4'096;        // longer URLs work in few programs

constexpr uint16_t DefaultPort(bool tls) { return tls ? 443 : 80; }

// From and to Boost.URL's own string_view.
std::string Copy(boost::urls::string_view text) { return {text.data(), text.size()}; }

std::optional<Url> FromBoost(const boost::urls::url_view& parsed) {
  Url url;
  if (parsed.scheme_id() == boost::urls::scheme::https) {
    url.tls = true;
  } else if (parsed.scheme_id() != boost::urls::scheme::http) {
    return std::nullopt;
  }
  if (parsed.has_userinfo()) return std::nullopt;
  url.host = Copy(parsed.encoded_host_address());
  for (char& c : url.host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '%') return std::nullopt;  // a name that needs escapes is no host name
  }
  if (url.host.empty() || url.host.size() > 253) return std::nullopt;
  url.port =
      parsed.has_port() && !parsed.port().empty() ? parsed.port_number() : DefaultPort(url.tls);
  if (url.port == 0) return std::nullopt;
  url.path = Copy(parsed.encoded_target());
  if (!url.path.starts_with('/')) url.path.insert(0, "/");
  return url;
}

// Times what happens between calls.
class Stopwatch {
 public:
  Stopwatch(const Clock& clock, std::vector<HttpPhase>& phases)
      : clock_(clock), phases_(phases), last_(clock.SteadyNow()) {}
  void Lap(const char* phase) {
    const Steady now = clock_.SteadyNow();
    phases_.push_back({phase, now - last_});
    last_ = now;
  }

 private:
  const Clock& clock_;
  std::vector<HttpPhase>& phases_;
  Steady last_;
};

// A response whose end is the end of the connection may also end without TLS's farewell: many
// servers never say it, and a body cut short is not told apart from a whole one here anyway.
bool EndsWithConnection(const http::response_parser<http::buffer_body>& parser,
                        const boost::system::error_code& error) {
  return error == boost::asio::ssl::error::stream_truncated && !parser.chunked() &&
         !parser.content_length();
}

std::string NoResponse(const boost::system::error_code& error) {
  return OneLine("no valid HTTP response: " + error.message());
}

// Sends and receives on an open stream. `Stream` is a tcp::socket or a TlsStream.
template <typename Stream>
boost::asio::awaitable<void> Talk(Stream& stream, const HttpRequest& request, const Clock& clock,
                                  HttpResponse& response) {
  boost::system::error_code error;
  http::request<http::empty_body> message(request.head ? http::verb::head : http::verb::get,
                                          request.url.path, 11);
  message.set(http::field::host, request.url.Authority());
  message.set(http::field::user_agent, "oppetid-agent/" OPPETID_VERSION);
  message.set(http::field::accept, "*/*");
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  Stopwatch watch(clock, response.phases);
  co_await http::async_write(stream, message, redirect_error(use_awaitable, error));
  boost::beast::flat_buffer buffer(kMaxHeaderBytes + kChunkBytes);
  if (!error) {
    const size_t size = co_await stream.async_read_some(buffer.prepare(kChunkBytes),
                                                        redirect_error(use_awaitable, error));
    buffer.commit(size);
  }
  if (error) {
    response.error = NoResponse(error);
    co_return;
  }
  watch.Lap("first_byte");
  std::optional<http::response_parser<http::buffer_body>> parser;
  for (int interim = 0; interim <= kMaxInterim; ++interim) {
    parser.emplace();
    parser->header_limit(kMaxHeaderBytes);
    parser->body_limit(boost::none);  // counted below, where the rest can be left unread
    parser->skip(request.head);
    co_await http::async_read_header(stream, buffer, *parser, redirect_error(use_awaitable, error));
    if (error || parser->get().result_int() / 100 != 1) break;
  }
  if (error) {
    response.error = NoResponse(error);
    co_return;
  }
  response.status = parser->get().result_int();
  const auto location = parser->get()[http::field::location];
  if (location.size() <= kMaxLocation) response.location.assign(location.data(), location.size());
  std::string chunk(kChunkBytes, '\0');
  size_t received = 0;
  while (!parser->is_done() && received < request.max_body) {
    auto& body = parser->get().body();
    const size_t room = std::min(chunk.size(), request.max_body - received);
    body.data = chunk.data();
    body.size = room;
    body.more = true;
    co_await http::async_read(stream, buffer, *parser, redirect_error(use_awaitable, error));
    const size_t got = room - body.size;
    received += got;
    if (request.keep_body) response.body.append(chunk, 0, got);
    if (error == http::error::need_buffer) error = {};
    if (error && EndsWithConnection(*parser, error)) break;
    if (error) {
      response.error = OneLine("the response breaks off: " + error.message());
      co_return;
    }
  }
  watch.Lap("transfer");
}

}  // namespace

std::string Url::Authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != DefaultPort(tls)) text += ":" + std::to_string(port);
  return text;
}

std::optional<Url> ParseUrl(std::string_view text) {
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return std::nullopt;
  return FromBoost(*parsed);
}

std::optional<Url> ResolveUrl(const Url& base, std::string_view location) {
  const auto parsed = boost::urls::parse_uri_reference({location.data(), location.size()});
  if (!parsed) return std::nullopt;
  const std::string whole = (base.tls ? "https://" : "http://") + base.Authority() + base.path;
  const auto from = boost::urls::parse_uri(whole);
  if (!from) return std::nullopt;
  boost::urls::url target;
  if (!boost::urls::resolve(*from, *parsed, target)) return std::nullopt;
  return FromBoost(target);
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2
  constexpr size_t kMaxName = 100;
  if (name.empty() || name.size() > kMaxName) return false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && kOthers.find(c) == std::string_view::npos) return false;
  }
  return true;
}

bool IsHeaderValue(std::string_view value) {
  constexpr size_t kMaxValue = 8'000;  // servers refuse longer ones
  if (value.size() > kMaxValue) return false;
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f') return false;
  }
  return true;
}

boost::asio::awaitable<HttpResponse> ExchangeHttp(World& world, TlsClient& tls,
                                                  HttpRequest request) {
  HttpResponse response;
  // Named, since g++ 12 destroys a braced temporary inside a co_await expression twice.
  const HostPort target{request.url.host, request.url.port};
  Connected connected = co_await Connect(world, target);
  if (!connected.error.empty()) {
    response.error = OneLine(connected.error);
    response.could_not_ask = connected.could_not_ask;
    co_return response;
  }
  response.phases.push_back({"resolve", connected.resolve_time});
  response.phases.push_back({"connect", connected.connect_time});
  if (!request.url.tls) {
    tcp::socket socket = std::move(*connected.socket);
    co_await Talk(socket, request, world.clock, response);
    co_return response;
  }
  Stopwatch watch(world.clock, response.phases);
  const std::string name = request.server_name.empty() ? request.url.host : request.server_name;
  Shaken shaken = co_await tls.ShakeHands(std::move(*connected.socket), name);
  if (!shaken.error.empty()) {
    response.error = shaken.error;
    co_return response;
  }
  watch.Lap("tls");
  response.chain = shaken.chain;
  if (request.verify && !shaken.chain->trouble.empty()) {
    response.error = shaken.chain->trouble;  // before any header is sent: it may be a secret
    co_return response;
  }
  co_await Talk(*shaken.stream, request, world.clock, response);
  co_return response;
}

}  // namespace oppetid::agent
