#include "agent/sensors/net.h"

#include <netdb.h>
#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace oppetid::agent {
namespace {

using boost::asio::ip::tcp;

constexpr size_t kMaxAddresses = 8;  // more than that is no server but a mistake in DNS

Resolved LookUp(const std::string& host) {
  Resolved result;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    result.error = "cannot resolve " + host + ": " + ::gai_strerror(error);
    return result;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (result.addresses.size() >= kMaxAddresses) break;
    if (entry->ai_family == AF_INET) {
      boost::asio::ip::address_v4::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in*>(entry->ai_addr)->sin_addr, 4);
      result.addresses.emplace_back(boost::asio::ip::address_v4(bytes));
    } else if (entry->ai_family == AF_INET6) {
      boost::asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in6*>(entry->ai_addr)->sin6_addr, 16);
      result.addresses.emplace_back(boost::asio::ip::address_v6(bytes));
    }
  }
  ::freeaddrinfo(list);
  if (result.addresses.empty()) result.error = "cannot resolve " + host + ": no address";
  return result;
}

}  // namespace

std::optional<HostPort> ParseHostPort(std::string_view text) {
  HostPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find("]:");
    if (end == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, end - 1);
    port = text.substr(end + 2);
  } else {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
      return std::nullopt;
    }
    result.host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || end != port.data() + port.size() || result.port == 0) {
    return std::nullopt;
  }
  if (result.host.empty() || result.host.size() > 253) return std::nullopt;
  return result;
}

HostPort ReadTarget(YamlMap& config, std::string_view key) {
  const std::string text = config.RequiredString(key);
  auto target = ParseHostPort(text);
  if (!target && !text.empty()) {
    config.Fault(key, "`" + std::string(key) + "`: expected host:port, port 1 to 65535");
  }
  return target.value_or(HostPort{});
}

boost::asio::awaitable<Resolved> Resolve(World& world, std::string host) {
  boost::system::error_code not_literal;
  const auto literal = boost::asio::ip::make_address(host, not_literal);
  if (!not_literal) {
    Resolved result;
    result.addresses.push_back(literal);
    co_return result;
  }
  std::function<Resolved()> work = [host] { return LookUp(host); };
  co_return co_await OnPool<Resolved>(world.pool, std::move(work));
}

boost::asio::awaitable<Connected> Connect(World& world, HostPort target) {
  Connected result;
  const Steady start = world.clock.SteadyNow();
  const Resolved resolved = co_await Resolve(world, target.host);
  const Steady looked_up = world.clock.SteadyNow();
  result.resolve_time = looked_up - start;
  if (!resolved.error.empty()) {
    result.error = resolved.error;
    result.could_not_ask = true;
    co_return result;
  }
  for (const auto& address : resolved.addresses) {
    tcp::socket socket(world.executor);
    boost::system::error_code error;
    co_await socket.async_connect(tcp::endpoint(address, target.port),
                                  boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (!error) {
      result.connect_time = world.clock.SteadyNow() - looked_up;
      result.socket = std::move(socket);
      result.error.clear();
      co_return result;
    }
    result.error = "cannot connect to " + target.host + ":" + std::to_string(target.port) + ": " +
                   error.message();
  }
  result.connect_time = world.clock.SteadyNow() - looked_up;
  co_return result;
}

std::string FormatMs(std::chrono::steady_clock::duration duration) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f ms",
                std::chrono::duration<double, std::milli>(duration).count());
  return buffer;
}

}  // namespace oppetid::agent
