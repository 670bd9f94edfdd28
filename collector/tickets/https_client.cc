#include "collector/tickets/https_client.h"

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <vector>

#include "common/text.h"

namespace oppetid::collector {
namespace {

namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

absl::Status Unreachable(const ApiUrl& url, const std::string& why) {
  return absl::UnavailableError(OneLine(url.host + ":" + url.port + ": " + why));
}

// Sends and receives on an open stream, by the deadline that its socket has.
template <typename Stream>
boost::asio::awaitable<absl::StatusOr<ApiReply>> Talk(Stream& stream, const ApiUrl& url,
                                                      const std::string& target,
                                                      const std::string& authorization) {
  boost::system::error_code error;
  http::request<http::empty_body> request(http::verb::get, url.path + target, 11);
  request.set(http::field::host, url.host);
  request.set(http::field::user_agent, "oppetid/" OPPETID_VERSION);
  request.set(http::field::accept, "application/json");
  request.set(http::field::authorization, authorization);
  request.keep_alive(false);
  co_await http::async_write(stream, request, redirect_error(use_awaitable, error));
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(HttpsClient::kMaxBodyBytes);
  if (!error) {
    co_await http::async_read(stream, buffer, parser, redirect_error(use_awaitable, error));
  }
  if (error) co_return Unreachable(url, "no whole answer: " + error.message());
  ApiReply reply;
  reply.status = static_cast<int>(parser.get().result_int());
  reply.body = std::move(parser.get().body());
  co_return reply;
}

}  // namespace

struct HttpsClient::Tls {
  ssl::context context{ssl::context::tls_client};
};

std::optional<ApiUrl> ParseApiUrl(const std::string& text) {
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed || parsed->has_userinfo() || parsed->has_query() || parsed->has_fragment()) {
    return std::nullopt;
  }
  ApiUrl url;
  url.host = std::string(parsed->host_address());
  url.tls = parsed->scheme_id() == boost::urls::scheme::https;
  if (url.host.empty()) return std::nullopt;
  if (!url.tls) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(url.host, error);
    if (parsed->scheme_id() != boost::urls::scheme::http || error || !address.is_loopback()) {
      return std::nullopt;
    }
  }
  url.port = parsed->has_port() ? std::string(parsed->port()) : url.tls ? "443" : "80";
  url.path = std::string(parsed->encoded_path());
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

HttpsClient::HttpsClient(ApiUrl url, std::unique_ptr<Tls> tls, BlockingPool& pool)
    : url_(std::move(url)), tls_(std::move(tls)), pool_(pool) {}
HttpsClient::~HttpsClient() = default;

absl::StatusOr<std::unique_ptr<HttpsClient>> HttpsClient::Make(ApiUrl url,
                                                               const std::string& ca_file,
                                                               BlockingPool& pool) {
  auto tls = std::make_unique<Tls>();
  boost::system::error_code error;
  if (ca_file.empty()) {
    tls->context.set_default_verify_paths(error);
  } else {
    tls->context.load_verify_file(ca_file, error);
  }
  if (error) return absl::FailedPreconditionError(ca_file + ": " + error.message());
  tls->context.set_verify_mode(ssl::verify_peer);
  return std::unique_ptr<HttpsClient>(new HttpsClient(std::move(url), std::move(tls), pool));
}

boost::asio::awaitable<absl::StatusOr<ApiReply>> HttpsClient::Get(std::string target,
                                                                  std::string authorization) {
  std::function<absl::StatusOr<Endpoints>()> look_up = [url = url_]() -> absl::StatusOr<Endpoints> {
    boost::asio::io_context io;
    tcp::resolver resolver(io);
    boost::system::error_code error;
    const auto found = resolver.resolve(url.host, url.port, error);
    if (error) return Unreachable(url, error.message());
    Endpoints endpoints;
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    return endpoints;
  };
  auto endpoints = co_await OnPool(pool_, std::move(look_up));
  if (!endpoints.ok()) co_return endpoints.status();
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::system::error_code error;
  if (!url_.tls) {
    boost::beast::tcp_stream stream(executor);
    stream.expires_after(kTimeout);
    co_await stream.async_connect(*endpoints, redirect_error(use_awaitable, error));
    if (error) co_return Unreachable(url_, error.message());
    co_return co_await Talk(stream, url_, target, authorization);
  }
  ssl::stream<boost::beast::tcp_stream> stream(executor, tls_->context);
  stream.next_layer().expires_after(kTimeout);
  co_await stream.next_layer().async_connect(*endpoints, redirect_error(use_awaitable, error));
  if (error) co_return Unreachable(url_, error.message());
  SSL_set_tlsext_host_name(stream.native_handle(), url_.host.c_str());
  stream.set_verify_callback(ssl::host_name_verification(url_.host), error);
  if (!error) {
    co_await stream.async_handshake(ssl::stream_base::client, redirect_error(use_awaitable, error));
  }
  if (error) co_return Unreachable(url_, "TLS: " + error.message());
  co_return co_await Talk(stream, url_, target, authorization);
}

std::string EncodeQuery(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

}  // namespace oppetid::collector
