#include "agent/sensors/host_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace oppetid::agent {
namespace {

// What dbus-daemon 1.14 sends after the sign-in, as captured: the answer to the greeting and a
// signal; then the answer of systemd's Manager with 3 units failed.
constexpr std::string_view kWelcome =
    "6c02010109000000010000003d00000006017300040000003a312e35000000000501750001000000080167000173"
    "00000701730014000000"
    "6f72672e667265656465736b746f702e4442757300000000040000003a312e35006c0401010900000002000000"
    "8d00000001016f00150000002f6f72672f667265656465736b746f702f4442757300000002017300140000006f72"
    "672e667265656465736b746f702e4442757300000000030173000c0000004e616d65416371756972656400000000"
    "06017300040000003a312e3500000000080167000173000007017300140000006f72672e667265656465736b746f"
    "702e4442757300000000040000003a312e3500";
constexpr std::string_view kThree =
    "6c02010108000000030000002d00000006017300040000003a312e35000000000501750002000000080167000176"
    "000007017300040000003a312e3400000000017500000300"
    "0000";

std::string Bytes(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

// The captured answer, to a question with another serial.
std::string ThreeFor(uint32_t serial) {
  std::string message = Bytes(kThree);
  const size_t reply_to = message.find(std::string("\5\1u\0", 4)) + 4;
  message[reply_to] = static_cast<char>(serial);
  return message;
}

// A bus at a socket. Each connection is served by the next of the scripts, then closed; a script
// gets the connection after the sign-in, the greeting and the first question.
class FakeBus {
 public:
  using Script = void (*)(int connection);

  FakeBus(const std::string& root, std::vector<Script> scripts) : scripts_(std::move(scripts)) {
    for (const char* name : {"/run", "/run/dbus"}) ::mkdir((root + name).c_str(), 0700);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = root + "/run/dbus/system_bus_socket";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeBus() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  static void Send(int connection, const std::string& bytes) {
    ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  static bool Receive(int connection, size_t size) {
    std::string bytes(size, '\0');
    return ::recv(connection, bytes.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
  }
  static bool ReceiveQuestion(int connection) {
    return Receive(connection, DbusFailedUnitsQuestion(2).size());
  }

 private:
  void Serve() {
    for (const Script script : scripts_) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      const size_t sign_in =
          1 + std::string("AUTH EXTERNAL \r\n").size() + 2 * std::to_string(::geteuid()).size();
      if (Receive(connection, sign_in)) {
        Send(connection, "OK 3259cb01323b02caa01f4c306b027678\r\n");
        const size_t begin = std::string("BEGIN\r\n").size() + DbusHello().size();
        if (Receive(connection, begin) && ReceiveQuestion(connection)) script(connection);
      }
      ::close(connection);
    }
  }

  std::vector<Script> scripts_;
  int listener_ = -1;
  std::thread thread_;
};

class FailedUnitsTest : public testing::Test {
 protected:
  FailedUnitsTest() {
    EXPECT_NE(::mkdtemp(dir_.data()), nullptr);
    world_.root = dir_;
  }
  std::optional<uint32_t> Ask(FailedUnits& units) {
    std::optional<uint32_t> number;
    boost::asio::co_spawn(io_, units.Ask(),
                          [&](std::exception_ptr error, std::optional<uint32_t> value) {
                            EXPECT_FALSE(error);
                            number = value;
                          });
    io_.restart();
    io_.run();
    return number;
  }
  std::optional<uint32_t> AskOnce() {
    FailedUnits units(world_);
    return Ask(units);
  }

  boost::asio::io_context io_{1};
  BlockingPool pool_{"test-pool", 1};
  SystemClock clock_;
  std::string dir_ = testing::TempDir() + "/units.XXXXXX";
  World world_{io_.get_executor(), pool_, clock_, ""};
};

TEST_F(FailedUnitsTest, ReadsTheNumberAndKeepsTheConnection) {
  FakeBus bus(dir_, {[](int connection) {
                FakeBus::Send(connection, Bytes(kWelcome) + ThreeFor(2));
                if (!FakeBus::ReceiveQuestion(connection)) return;
                FakeBus::Send(connection, ThreeFor(3));
              }});
  FailedUnits units(world_);
  EXPECT_EQ(Ask(units), 3u);
  EXPECT_EQ(Ask(units), 3u);
}

TEST_F(FailedUnitsTest, ConnectsAnewWhenTheBusWasRestarted) {
  FakeBus bus(dir_, {[](int connection) { FakeBus::Send(connection, ThreeFor(2)); },
                     [](int connection) { FakeBus::Send(connection, ThreeFor(4)); }});
  FailedUnits units(world_);
  EXPECT_EQ(Ask(units), 3u);
  EXPECT_EQ(Ask(units), 3u);
}

TEST_F(FailedUnitsTest, NothingWithoutBus) { EXPECT_EQ(AskOnce(), std::nullopt); }

TEST_F(FailedUnitsTest, NothingWithoutSystemdOnTheBus) {
  FakeBus bus(dir_, {[](int connection) {
                std::string error = ThreeFor(2);
                error[1] = '\3';
                FakeBus::Send(connection, Bytes(kWelcome) + error);
              }});
  EXPECT_EQ(AskOnce(), std::nullopt);
}

TEST_F(FailedUnitsTest, NothingFromABusThatClosesOrTalksOddly) {
  FakeBus bus(
      dir_, {[](int) {}, [](int connection) { FakeBus::Send(connection, std::string(1000, 'x')); },
             [](int connection) {
               for (int i = 0; i < 100; ++i) FakeBus::Send(connection, Bytes(kWelcome));
             }});
  EXPECT_EQ(AskOnce(), std::nullopt);
  EXPECT_EQ(AskOnce(), std::nullopt);
  EXPECT_EQ(AskOnce(), std::nullopt);
}

TEST_F(FailedUnitsTest, NothingFromABusThatSaysNothing) {
  FakeBus bus(dir_, {[](int connection) { FakeBus::Receive(connection, 1); }});
  EXPECT_EQ(AskOnce(), std::nullopt);
}

TEST(DbusMessages, AreAsDbusDaemonUnderstoodThem) {
  EXPECT_EQ(DbusHello().size(), 128u);
  EXPECT_EQ(DbusHello().substr(0, 16), Bytes("6c01020100000000010000006d000000"));
  EXPECT_EQ(DbusFailedUnitsQuestion(2).substr(0, 16), Bytes("6c01020139000000020000009000"
                                                            "0000"));
  const auto message = ParseDbusMessage(Bytes(kThree));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, 2);
  EXPECT_EQ(message->reply_to, 2u);
  EXPECT_EQ(message->number, 3u);
}

TEST(DbusMessages, OddOnesAreRefused) {
  const std::string good = Bytes(kThree);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseDbusMessage(good.substr(0, size)));
  }
  std::string huge = good;
  huge[6] = '\x7f';  // a body of 8 MB
  EXPECT_FALSE(ParseDbusMessage(huge));
  EXPECT_FALSE(DbusBytesToFollow(huge));
  std::string big_endian = good;
  big_endian[0] = 'B';
  EXPECT_FALSE(ParseDbusMessage(big_endian));
  // Whatever single byte is wrong, the parser stays within the message.
  for (size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string odd = good;
      odd[i] = static_cast<char>(value);
      const auto message = ParseDbusMessage(odd);
      if (i != 1 && message) {
        EXPECT_EQ(message->type, 2) << i;
      }
    }
  }
}

}  // namespace
}  // namespace oppetid::agent
