#include "collector/cli/client.h"

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/file.h"

namespace oppetid::collector {
namespace {

namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using Unix = boost::asio::local::stream_protocol;
using boost::asio::ip::tcp;

constexpr uint64_t kMaxAnswerBytes = 2'000'000'000;  // a year's history of a large room
constexpr auto kTimeout = std::chrono::seconds(60);
constexpr char kDefaultSocket[] = "/run/oppetid/admin.sock";

// Asks and waits for the whole answer, with a deadline for each step: a collector that hangs must
// not hang whoever asks.
template <typename Stream>
absl::StatusOr<Reply> Exchange(boost::asio::io_context& io, Stream& stream,
                               const std::string& method, const std::string& target,
                               const std::string& token, const std::string& body) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, "oppetid");
  request.keep_alive(false);
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.body() = body;
  if (method == "POST") request.prepare_payload();
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  boost::system::error_code error;
  boost::beast::get_lowest_layer(stream).expires_after(kTimeout);
  http::async_write(stream, request, [&](boost::system::error_code failed, size_t) {
    error = failed;
    if (error) return;
    http::async_read(stream, buffer, parser,
                     [&](boost::system::error_code ended, size_t) { error = ended; });
  });
  io.restart();
  io.run();
  if (error) {
    return absl::UnavailableError("no whole answer from the collector: " + error.message());
  }
  return Reply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

struct Question {
  std::string method, target, token, body;
};

absl::StatusOr<Reply> ExchangeTls(boost::asio::io_context& io,
                                  boost::beast::basic_stream<tcp> tcp_stream,
                                  const CollectorAddress& address, const std::string& host,
                                  const Question& question) {
  ssl::context context(ssl::context::tls_client);
  boost::system::error_code error;
  if (address.ca_file.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(address.ca_file, error);
  }
  if (error) return absl::InvalidArgumentError(address.ca_file + ": " + error.message());
  context.set_verify_mode(ssl::verify_peer);
  context.set_verify_callback(ssl::host_name_verification(host));
  boost::beast::ssl_stream<boost::beast::basic_stream<tcp>> stream(std::move(tcp_stream), context);
  ::SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
  boost::beast::get_lowest_layer(stream).expires_after(kTimeout);
  stream.async_handshake(ssl::stream_base::client,
                         [&](boost::system::error_code failed) { error = failed; });
  io.restart();
  io.run();
  if (error) {
    return absl::UnavailableError("no TLS with " + address.url + ": " + error.message() +
                                  " (--ca names who signed its certificate)");
  }
  return Exchange(io, stream, question.method, question.target, question.token, question.body);
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

std::string SocketPath(const CollectorAddress& address) {
  if (!address.socket.empty()) return address.socket;
  if (address.state.empty()) return kDefaultSocket;
  const std::string nested = address.state + "/collector/admin.sock";
  return Exists(nested) ? nested : address.state + "/admin.sock";
}

absl::StatusOr<Reply> CallUnix(const CollectorAddress& address, const std::string& method,
                               const std::string& target, const std::string& body) {
  const std::string path = SocketPath(address);
  boost::asio::io_context io;
  boost::beast::basic_stream<Unix> stream(io);
  boost::system::error_code error;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(path + ": too long for a socket's path");
  }
  stream.socket().connect(Unix::endpoint(path), error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot reach the collector at ", path, ": ", error.message(),
                     error == boost::system::errc::permission_denied
                         ? " (are you in the group oppetid-admin?)"
                         : " (is it running? --state, --socket or --url say where it is)"));
  }
  return Exchange(io, stream, method, target, "", body);
}

absl::StatusOr<Reply> CallTcp(const CollectorAddress& address, const std::string& method,
                              const std::string& target, const std::string& body) {
  const auto url = boost::urls::parse_uri(address.url);
  if (!url || (url->scheme() != "http" && url->scheme() != "https")) {
    return absl::InvalidArgumentError(
        absl::StrCat(address.url, " is not an https:// or http:// address"));
  }
  const bool tls = url->scheme() == "https";
  std::string token;
  if (!address.token_file.empty()) {
    auto content = ReadSecretFile(address.token_file);
    if (!content.ok()) return content.status();
    token = content->substr(0, content->find_first_of("\r\n"));
  }
  boost::asio::io_context io;
  tcp::resolver resolver(io);
  boost::beast::basic_stream<tcp> stream(io);
  boost::system::error_code error;
  const std::string host(url->host_address());
  const std::string port(url->has_port() ? std::string(url->port()) : tls ? "443" : "80");
  const auto found = resolver.resolve(host, port, error);
  if (!error) {
    stream.expires_after(kTimeout);
    stream.async_connect(
        found, [&](boost::system::error_code failed, const tcp::endpoint&) { error = failed; });
    io.run();
  }
  if (error) return absl::UnavailableError("cannot reach " + address.url + ": " + error.message());
  if (!token.empty() && !tls && !stream.socket().remote_endpoint(error).address().is_loopback()) {
    return absl::InvalidArgumentError(
        "a token goes over https:// only, but to this machine itself");
  }
  if (!tls) return Exchange(io, stream, method, target, token, body);
  return ExchangeTls(io, std::move(stream), address, host, {method, target, token, body});
}

}  // namespace

void AddAddressOptions(CLI::App& command, CollectorAddress& address) {
  auto* state = command.add_option("--state", address.state, "State directory of the collector");
  auto* socket = command.add_option("--socket", address.socket,
                                    "Path of its admin.sock (default /run/oppetid/admin.sock)");
  auto* url = command.add_option("--url", address.url, "Its HTTP address, https://host:port");
  command.add_option("--token-file", address.token_file, "File with a token, for --url");
  command.add_option("--ca", address.ca_file,
                     "PEM file of who signed its certificate, for https (default: the system's)");
  state->excludes(socket, url);
  socket->excludes(url);
}

absl::StatusOr<Reply> Call(const CollectorAddress& address, const std::string& method,
                           const std::string& target, const std::string& body) {
  if (address.url.empty()) return CallUnix(address, method, target, body);
  auto reply = CallTcp(address, method, target, body);
  // Whoever is not on admin.sock does not learn which pages that has.
  if (reply.ok() && reply->status == 404) {
    reply->body =
        "not over --url: with a read token `oppetid status` is answered there, with a push token "
        "`oppetid ticket push`; all else goes through admin.sock on the collector's machine\n";
  }
  return reply;
}

absl::StatusOr<std::string> Fetch(const CollectorAddress& address, const std::string& method,
                                  const std::string& target, const std::string& body) {
  auto reply = Call(address, method, target, body);
  if (!reply.ok()) return reply.status();
  if (reply->status / 100 == 2) return std::move(reply->body);
  std::string words = reply->body.substr(0, reply->body.find('\n'));
  return absl::FailedPreconditionError(
      absl::StrCat(words.empty() ? "refused" : words, " (HTTP ", reply->status, ")"));
}

void AddBehalfOption(CLI::App& command, std::string& on_behalf_of) {
  command.add_option("--on-behalf-of", on_behalf_of,
                     "Whose decision this is; recorded beside the user who calls");
}

std::string WithBehalf(const std::string& target, const std::string& on_behalf_of) {
  if (on_behalf_of.empty()) return target;
  return target + (target.find('?') == std::string::npos ? "?" : "&") +
         "on_behalf_of=" + UrlEncode(on_behalf_of);
}

std::string UrlEncode(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

int Fail(const absl::Status& status) {
  const absl::string_view message = status.message();
  std::string_view rest(message.data(), message.size());
  do {
    const size_t end = rest.find('\n');
    std::cerr << "oppetid: " << rest.substr(0, end) << "\n";
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  } while (!rest.empty());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

int Refuse(const Reply& reply) {
  const std::string words =
      reply.body.empty() ? absl::StrCat("refused (HTTP ", reply.status, ")") : reply.body;
  return Fail(reply.status == 400 ? absl::InvalidArgumentError(words)
                                  : absl::FailedPreconditionError(words));
}

}  // namespace oppetid::collector
