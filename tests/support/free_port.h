// A port of loopback where nobody listened a moment ago: for a test of that, or for a server that
// cannot be told to take any port.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>

namespace oppetid {

// Protocol is boost::asio::ip::tcp or udp.
template <typename Protocol>
uint16_t FreePort() {
  boost::asio::io_context io;
  typename Protocol::socket socket(
      io, typename Protocol::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  return socket.local_endpoint().port();
}

}  // namespace oppetid
