// A small HTTP/1.1 server over TCP and over a Unix socket, for answers that may be streamed.
//
// It parses, bounds and times out; what a request means is the handler's business. A streamed body
// is made chunk by chunk on the pool, as fast as the peer takes it, so memory is one chunk.
// Threading: the executor's thread, chunks on the pool. Lifetime: pool and handler outlive the
// server; Close() ends listening and, after its grace, connections.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "collector/reach.h"
#include "common/async.h"

namespace oppetid::collector {

struct HttpRequest {
  std::string method;
  std::string path;                          // without the query
  std::map<std::string, std::string> query;  // decoded; the last of two equal names counts
  std::string body;
  std::string bearer;     // the token of an Authorization: Bearer header
  bool admin = false;     // came through the Unix socket
  std::string user;       // who is at its other end (SO_PEERCRED); empty over TCP
  bool loopback = false;  // came from this machine
  bool accepts_gzip = false;
  Reach reach;  // what it may see or speak of; the Api's word, before it asks the handler
};

// Appends the next chunk to `*out`; false when nothing is left.
using ChunkSource = std::function<bool(std::string* out)>;

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  ChunkSource chunks;  // used in place of body, if set
  bool gzip = false;   // compress the chunks
};

using HttpDone = std::function<void(HttpResponse)>;
// Calls `done` once, at once or later, on the executor's thread.
using HttpHandler = std::function<void(HttpRequest, HttpDone)>;

class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, BlockingPool& pool, HttpHandler handler);
  ~HttpServer();

  // "ip:port"; port 0 takes a free one. Plain HTTP unless SetTls was called before.
  absl::Status ListenTcp(const std::string& address);
  // Certificate chain and key (PEM) for TLS on TCP. Again later: for connections from then on.
  absl::Status SetTls(const std::string& certificate_pem, const std::string& key_pem);
  // Replaces a stale socket file; `mode` as for chmod, `group` gets it if it exists.
  absl::Status ListenUnix(const std::string& path, int mode, const std::string& group);
  uint16_t port() const { return port_; }
  void Close();

 private:
  struct Shared;
  void ServeTcp(boost::asio::ip::tcp::socket socket);
  template <typename Protocol>
  boost::asio::awaitable<void> AcceptLoop(std::shared_ptr<Shared> shared,
                                          typename Protocol::acceptor& acceptor);

  std::shared_ptr<Shared> shared_;
  boost::asio::ip::tcp::acceptor tcp_;
  boost::asio::local::stream_protocol::acceptor unix_;
  std::string unix_path_;
  uint16_t port_ = 0;
};

}  // namespace oppetid::collector
