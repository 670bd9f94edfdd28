#include "tests/support/http_client.h"

#include <zlib.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <cctype>
#include <charconv>

namespace oppetid {
namespace {

using boost::asio::generic::stream_protocol;

}  // namespace

HttpClient::HttpClient(uint16_t port) : socket_(io_) {
  const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
  socket_.connect(stream_protocol::endpoint(endpoint));
}

HttpClient::HttpClient(const std::string& unix_socket) : socket_(io_) {
  const boost::asio::local::stream_protocol::endpoint endpoint(unix_socket);
  socket_.connect(stream_protocol::endpoint(endpoint));
}

void HttpClient::Send(const std::string& bytes) {
  boost::system::error_code ignored;  // the server may have answered and gone already
  boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
}

bool HttpClient::Fill() {
  char bytes[65'536];
  boost::system::error_code error;
  const size_t count = socket_.read_some(boost::asio::buffer(bytes), error);
  buffer_.append(bytes, count);
  return !error;
}

std::string HttpClient::Line() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!Fill()) return "";
  }
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

std::string HttpClient::Bytes(size_t count) {
  while (buffer_.size() < count && Fill()) {
  }
  const std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, bytes.size());
  return bytes;
}

HttpAnswer HttpClient::Receive(bool to_head) {
  HttpAnswer answer;
  const std::string first = Line();
  if (!first.starts_with("HTTP/1.1 ") || first.size() < 12) return answer;
  std::from_chars(first.data() + 9, first.data() + 12, answer.status);
  for (std::string line = Line(); !line.empty(); line = Line()) {
    const size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    answer.headers[name] = colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  if (to_head) return answer;
  if (answer.headers["transfer-encoding"] == "chunked") {
    for (;;) {
      const std::string size = Line();
      size_t count = 0;
      std::from_chars(size.data(), size.data() + size.size(), count, 16);
      if (count > 0) answer.body += Bytes(count);
      Line();
      if (count == 0) return answer;
    }
  }
  size_t count = 0;
  const std::string& length = answer.headers["content-length"];
  std::from_chars(length.data(), length.data() + length.size(), count);
  answer.body = Bytes(count);
  return answer;
}

HttpAnswer HttpClient::Get(const std::string& target, const std::string& headers) {
  Send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  return Receive();
}

bool HttpClient::Ended() { return buffer_.empty() && !Fill() && buffer_.empty(); }

std::optional<std::string> Gunzip(const std::string& bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK) {
    char buffer[65'536];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  const bool whole = code == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

}  // namespace oppetid
