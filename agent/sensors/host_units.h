// How many systemd units have failed, read from systemd over the system bus.
//
// One property of one object is asked, so this speaks the few bytes of D-Bus that it takes: no
// subprocess, no library. The connection is kept between questions. Where there is no bus, or no
// systemd on it, there is no number.
// Threading: the agent's thread. One question at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/sensors/sensor.h"

namespace oppetid::agent {

class FailedUnits {
 public:
  explicit FailedUnits(World& world);
  // nullopt when nobody answers within a second.
  boost::asio::awaitable<std::optional<uint32_t>> Ask();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;
  struct Reply {
    bool usable = false;  // the connection, for the next question
    std::optional<uint32_t> number;
  };
  boost::asio::awaitable<Reply> AskOver(std::shared_ptr<Socket> socket, std::string path = "");

  World& world_;
  std::shared_ptr<Socket> socket_;  // signed in; null when there is none
  uint32_t serial_ = 1;             // of the last question
};

// The parts of D-Bus that can be looked at alone.

// Our two messages: the greeting (serial 1), and the question for Manager.NFailedUnits.
std::string DbusHello();
std::string DbusFailedUnitsQuestion(uint32_t serial);

// Every message starts with this many bytes, which tell how many follow.
inline constexpr size_t kDbusFixedBytes = 16;
// nullopt when this is not a little-endian D-Bus message of bearable size.
std::optional<size_t> DbusBytesToFollow(std::string_view fixed);

struct DbusMessage {
  uint8_t type = 0;  // 2 is a return, 3 an error; others are not for us
  uint32_t reply_to = 0;
  std::optional<uint32_t> number;  // the body, when it is a variant of uint32
};
// A whole message; nullopt when it is malformed.
std::optional<DbusMessage> ParseDbusMessage(std::string_view message);

}  // namespace oppetid::agent
