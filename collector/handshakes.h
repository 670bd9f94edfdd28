// Connections whose TLS handshake is under way in gRPC: how many, since when, and an end to those
// that do not get on.
//
// A handshake costs memory long before we know who it is with, and gRPC bounds its time but not the
// number. So no more than a fixed number is under way at a time; others wait outside as bare
// sockets. One that has had its time is shut down, counted and logged; when others wait, a second
// is enough. A connection leaves with its first stream. Threading: the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <string>
#include <unordered_map>

#include "collector/counters.h"
#include "common/clock.h"

namespace oppetid::collector {

class Handshakes {
 public:
  // `on_room` is called when one more can begin.
  Handshakes(boost::asio::any_io_executor executor, Counters& counters,
             std::function<void()> on_room);
  ~Handshakes();

  // Whether one more may begin now; if not, `on_room` comes.
  bool HasRoom();
  // The connection's handshake begins. The descriptor stays the caller's.
  void Begin(int fd);
  // A stream has begun on the connection of this peer, in gRPC's spelling.
  void Established(const std::string& peer);
  void Close();

 private:
  struct Connection {
    std::string peer;
    int fd;  // a second descriptor of the same socket
    Steady since;
  };
  using List = std::list<Connection>;
  void Tick();
  void Remove(List::iterator connection, Reason reason);

  boost::asio::steady_timer timer_;
  Counters& counters_;
  std::function<void()> on_room_;
  bool wanted_ = false;  // somebody waits for room
  bool ticking_ = false;
  List connections_;  // oldest first
  std::unordered_map<std::string, List::iterator> by_peer_;
};

// "1.2.3.4:5" or "[::1]:5" of a peer in gRPC's spelling: ipv4:1.2.3.4:5, ipv6:%5B::1%5D:5.
std::string PeerAddress(const std::string& grpc_peer);

}  // namespace oppetid::collector
