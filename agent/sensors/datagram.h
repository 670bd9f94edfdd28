// What the sensors that speak in datagrams share: waiting for one with a limit.
//
// Threading: the agent's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>

namespace oppetid::agent {

// Waits until `socket` has something to read (a datagram or an error), at most until `until`.
// Whether it has; the socket is non-blocking from then on. The pointer is shared because a timer
// that has just expired may still look at the socket after the caller went on.
template <typename Socket>
boost::asio::awaitable<bool> ReadableBefore(std::shared_ptr<Socket> socket,
                                            std::chrono::steady_clock::time_point until) {
  // A flood must not outlast the limit: what is there to read would always win over the timer.
  if (std::chrono::steady_clock::now() >= until) co_return false;
  auto waiting = std::make_shared<bool>(true);
  boost::asio::steady_timer timer(socket->get_executor(), until);
  timer.async_wait([socket, waiting](const boost::system::error_code& stopped) {
    boost::system::error_code ignored;  // nothing under way is as good as cancelled
    if (!stopped && *waiting) socket->cancel(ignored);
  });
  boost::system::error_code error;
  co_await socket->async_wait(Socket::wait_read,
                              boost::asio::redirect_error(boost::asio::use_awaitable, error));
  *waiting = false;
  co_return !error;
}

}  // namespace oppetid::agent
