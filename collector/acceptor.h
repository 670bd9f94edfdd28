// Accepts TCP connections and lets through only those that begin to speak TLS.
//
// A connection waits here, as a bare socket, until its first bytes are there; what is no TLS
// handshake, or says nothing for ten seconds, is closed, counted and logged. When too many wait,
// the one that has waited longest goes: an honest client speaks at once. One that speaks waits on
// while too many handshakes are under way; then the newest goes first. Threading: the executor's
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/counters.h"
#include "collector/handshakes.h"

namespace oppetid::collector {

class Acceptor {
 public:
  Acceptor(boost::asio::any_io_executor executor, Counters& counters);
  ~Acceptor();

  // Listens on "ip:port"; port 0 takes a free one. `speak_tls` gets the descriptor of each
  // connection that begins a TLS handshake, nothing of it read yet, and owns it.
  absl::Status Listen(const std::string& address, std::function<void(int fd)> speak_tls);
  uint16_t port() const { return port_; }
  // A stream has begun on a connection of this peer, in gRPC's spelling.
  void Established(const std::string& peer) { handshakes_.Established(peer); }
  void Close();

 private:
  struct Waiting;
  void AcceptNext();
  void Await(boost::asio::ip::tcp::socket socket);
  void Inspect(const std::shared_ptr<Waiting>& waiting);
  void Admit();
  void Drop(std::shared_ptr<Waiting> waiting, Reason reason);
  void Forget(std::shared_ptr<Waiting> waiting);

  boost::asio::any_io_executor executor_;
  Counters& counters_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  std::function<void(int)> speak_tls_;
  std::list<std::shared_ptr<Waiting>> waiting_;  // oldest first
  std::vector<std::weak_ptr<Waiting>> ready_;    // speak TLS and wait for room, oldest first
  Handshakes handshakes_;
  uint16_t port_ = 0;
};

}  // namespace oppetid::collector
