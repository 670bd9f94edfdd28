// A blocking HTTP client for tests: what a server answers, whole, over TCP or a Unix socket; raw
// bytes where a test wants to be rude.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <optional>
#include <string>

namespace oppetid {

struct HttpAnswer {
  int status = 0;                              // 0: the server ended the connection without one
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // unchunked, still compressed
};

class HttpClient {
 public:
  explicit HttpClient(uint16_t port);                   // of 127.0.0.1
  explicit HttpClient(const std::string& unix_socket);  // its path

  void Send(const std::string& bytes);
  // The next answer. `to_head`: it has no body whatever its headers say.
  HttpAnswer Receive(bool to_head = false);
  HttpAnswer Get(const std::string& target, const std::string& headers = "");
  // Whether the server has ended the connection; waits until it does or sends something.
  bool Ended();

 private:
  bool Fill();
  std::string Line();
  std::string Bytes(size_t count);

  boost::asio::io_context io_;
  boost::asio::generic::stream_protocol::socket socket_;
  std::string buffer_;
};

// Inflates a gzip member; nullopt when it is damaged or cut off.
std::optional<std::string> Gunzip(const std::string& bytes);

}  // namespace oppetid
