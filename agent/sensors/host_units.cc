#include "agent/sensors/host_units.h"

#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace oppetid::agent {
namespace {

namespace local = boost::asio::local;

// The bus answers in a millisecond; systemd may be busy with a reload for some hundred.
constexpr Millis kPatience{1000};
// An answer has 100 bytes. An error text or a signal may have more.
constexpr uint32_t kMaxMessageBytes = 64'000;
// Between question and answer stand the greeting's answer and a signal or two.
constexpr int kMaxMessages = 16;
constexpr size_t kMaxSignInLine = 512;

constexpr char kReturn = 2;
enum Field : char {
  kPath = 1,
  kInterface = 2,
  kMember = 3,
  kReplyTo = 5,
  kDestination = 6,
  kSignature = 8
};

void Align(std::string& out, size_t to) { out.resize((out.size() + to - 1) / to * to, '\0'); }

void PutNumber(std::string& out, uint32_t value) {
  Align(out, 4);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

void PutText(std::string& out, std::string_view text) {
  PutNumber(out, static_cast<uint32_t>(text.size()));
  out += text;
  out += '\0';
}

void PutField(std::string& out, Field code, char type, std::string_view text) {
  Align(out, 8);
  out += code;
  out += '\1';
  out += type;
  out += '\0';
  if (type == 'g') {
    out += static_cast<char>(text.size());
    out += text;
    out += '\0';
  } else {
    PutText(out, text);
  }
}

struct Call {
  std::string_view path, interface, member, destination, signature;
};

std::string Message(uint32_t serial, const Call& call, const std::string& body) {
  constexpr char kMethodCall = 1;
  constexpr char kNoAutoStart = 2;  // where systemd does not run, nobody is to be started
  std::string out = {'l', kMethodCall, kNoAutoStart, '\1'};
  PutNumber(out, static_cast<uint32_t>(body.size()));
  PutNumber(out, serial);
  PutNumber(out, 0);  // the length of the fields, filled in below
  PutField(out, kPath, 'o', call.path);
  PutField(out, kInterface, 's', call.interface);
  PutField(out, kMember, 's', call.member);
  PutField(out, kDestination, 's', call.destination);
  if (!call.signature.empty()) PutField(out, kSignature, 'g', call.signature);
  const size_t fields = out.size() - kDbusFixedBytes;
  out[12] = static_cast<char>(fields & 0xFF);  // always below 256
  Align(out, 8);
  return out + body;
}

// Reads forward through a message, never beyond its end.
class Reader {
 public:
  Reader(std::string_view bytes, size_t at) : bytes_(bytes), at_(at) {}

  void Align(size_t to) { at_ = (at_ + to - 1) / to * to; }
  size_t at() const { return at_; }
  std::optional<uint8_t> Byte() {
    if (at_ >= bytes_.size()) return std::nullopt;
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  std::optional<uint32_t> Number() {
    Align(4);
    uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      const auto byte = Byte();
      if (!byte) return std::nullopt;
      value |= static_cast<uint32_t>(*byte) << shift;
    }
    return value;
  }
  bool Skip(size_t count) {
    if (at_ > bytes_.size() || count > bytes_.size() - at_) return false;
    at_ += count;
    return true;
  }
  // The signature of a variant when it is one of a single type; 0 otherwise.
  char VariantType() {
    const auto length = Byte();
    const auto type = Byte();
    const auto end = Byte();
    return length == 1 && type && end == 0 ? static_cast<char>(*type) : '\0';
  }

 private:
  std::string_view bytes_;
  size_t at_;
};

std::string SignInLine() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string line(1, '\0');
  line += "AUTH EXTERNAL ";
  for (const char digit : std::to_string(::geteuid())) {
    line += kHex[digit >> 4];
    line += kHex[digit & 15];
  }
  return line + "\r\n";
}

using Socket = local::stream_protocol::socket;

asio::awaitable<bool> Write(std::shared_ptr<Socket> socket, std::string bytes) {
  boost::system::error_code error;
  co_await asio::async_write(*socket, asio::buffer(bytes),
                             asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

// One message, whole; empty when the connection is of no more use.
asio::awaitable<std::string> ReadMessage(std::shared_ptr<Socket> socket) {
  boost::system::error_code error;
  std::string message(kDbusFixedBytes, '\0');
  co_await asio::async_read(*socket, asio::buffer(message),
                            asio::redirect_error(asio::use_awaitable, error));
  const auto rest = error ? std::nullopt : DbusBytesToFollow(message);
  if (!rest) co_return "";
  message.resize(kDbusFixedBytes + *rest);
  co_await asio::async_read(*socket, asio::buffer(message.data() + kDbusFixedBytes, *rest),
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) message.clear();
  co_return message;
}

// Connects and signs in as the agent's own user.
asio::awaitable<bool> SignIn(std::shared_ptr<Socket> socket, std::string path) {
  boost::system::error_code error;
  co_await socket->async_connect(local::stream_protocol::endpoint(path),
                                 asio::redirect_error(asio::use_awaitable, error));
  if (error || !co_await Write(socket, SignInLine())) co_return false;
  std::string line;
  while (!line.ends_with("\r\n")) {
    std::array<char, kMaxSignInLine> buffer{};
    const size_t got = co_await socket->async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error || line.size() + got > kMaxSignInLine) co_return false;
    line.append(buffer.data(), got);
  }
  if (!line.starts_with("OK ")) co_return false;
  co_return co_await Write(socket, "BEGIN\r\n" + DbusHello());
}

}  // namespace

std::string DbusHello() {
  return Message(1,
                 {.path = "/org/freedesktop/DBus",
                  .interface = "org.freedesktop.DBus",
                  .member = "Hello",
                  .destination = "org.freedesktop.DBus",
                  .signature = ""},
                 "");
}

std::string DbusFailedUnitsQuestion(uint32_t serial) {
  std::string body;
  PutText(body, "org.freedesktop.systemd1.Manager");
  PutText(body, "NFailedUnits");
  return Message(serial,
                 {.path = "/org/freedesktop/systemd1",
                  .interface = "org.freedesktop.DBus.Properties",
                  .member = "Get",
                  .destination = "org.freedesktop.systemd1",
                  .signature = "ss"},
                 body);
}

std::optional<size_t> DbusBytesToFollow(std::string_view fixed) {
  if (fixed.size() < kDbusFixedBytes || fixed[0] != 'l' || fixed[3] != 1) return std::nullopt;
  const auto body = Reader(fixed, 4).Number();
  const auto fields = Reader(fixed, 12).Number();
  if (!body || !fields || *body > kMaxMessageBytes || *fields > kMaxMessageBytes) {
    return std::nullopt;
  }
  return (size_t{*fields} + 7) / 8 * 8 + *body;
}

std::optional<DbusMessage> ParseDbusMessage(std::string_view message) {
  const auto follow = DbusBytesToFollow(message);
  if (!follow || message.size() != kDbusFixedBytes + *follow) return std::nullopt;
  DbusMessage result;
  result.type = static_cast<uint8_t>(message[1]);
  const size_t fields_end = kDbusFixedBytes + *Reader(message, 12).Number();
  Reader reader(message, kDbusFixedBytes);
  for (reader.Align(8); reader.at() < fields_end; reader.Align(8)) {
    const auto code = reader.Byte();
    const char type = reader.VariantType();
    if (type == 'u') {
      const auto number = reader.Number();
      if (!number) return std::nullopt;
      if (code == kReplyTo) result.reply_to = *number;
    } else if (type == 's' || type == 'o') {
      const auto length = reader.Number();
      if (!length || !reader.Skip(size_t{*length} + 1)) return std::nullopt;
    } else if (type == 'g') {
      const auto length = reader.Byte();
      if (!length || !reader.Skip(size_t{*length} + 1)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  Reader body(message, (fields_end + 7) / 8 * 8);
  if (result.type == kReturn && body.VariantType() == 'u') result.number = body.Number();
  return result;
}

FailedUnits::FailedUnits(World& world) : world_(world) {}

asio::awaitable<std::optional<uint32_t>> FailedUnits::Ask() {
  // The runner may cut this off at any await: the connection then goes with this frame.
  std::shared_ptr<Socket> socket = std::move(socket_);
  socket_.reset();
  Reply reply;
  if (socket != nullptr) reply = co_await AskOver(socket);
  if (!reply.usable) {  // none yet, or the bus has been restarted
    const std::string path = world_.root + "/run/dbus/system_bus_socket";
    if (path.size() >= sizeof(sockaddr_un::sun_path)) co_return std::nullopt;
    if (::access(path.c_str(), F_OK) != 0) co_return std::nullopt;
    socket = std::make_shared<Socket>(world_.executor);
    reply = co_await AskOver(socket, path);
  }
  if (reply.usable) socket_ = socket;
  co_return reply.number;
}

// Asks within the patience; signs in first where `path` says so.
asio::awaitable<FailedUnits::Reply> FailedUnits::AskOver(std::shared_ptr<Socket> socket,
                                                         std::string path) {
  asio::steady_timer deadline(world_.executor, kPatience);
  std::function<void(boost::system::error_code)> late = [socket](boost::system::error_code error) {
    boost::system::error_code ignored;
    if (!error) socket->close(ignored);
  };
  deadline.async_wait(late);
  Reply reply;
  if (!path.empty() && !co_await SignIn(socket, path)) co_return reply;
  const uint32_t serial = ++serial_;
  if (!co_await Write(socket, DbusFailedUnitsQuestion(serial))) co_return reply;
  for (int i = 0; i < kMaxMessages; ++i) {
    const auto message = ParseDbusMessage(co_await ReadMessage(socket));
    if (!message) co_return reply;
    if (message->reply_to != serial) continue;
    reply.usable = true;
    if (message->type == kReturn) reply.number = message->number;
    co_return reply;
  }
  co_return reply;
}

}  // namespace oppetid::agent
