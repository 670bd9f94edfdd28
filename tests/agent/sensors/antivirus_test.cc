// Against a real clamd with signatures of our own, as old as the test says, and against a stand-in
// for what no clamd answers.
#include <stdlib.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "agent/sensors/clamd_lines.h"
#include "tests/support/child_process.h"
#include "tests/support/free_port.h"
#include "tests/support/sensor_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using testing::HasSubstr;

using Script = std::map<std::string, std::string>;

boost::asio::awaitable<void> Serve(std::shared_ptr<tcp::acceptor> acceptor,
                                   std::shared_ptr<Script> script) {
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor->async_accept(redirect_error(use_awaitable, error));
    if (error) co_return;
    std::string question;
    co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(question, 100), '\n',
                                           redirect_error(use_awaitable, error));
    const std::string& answer = (*script)[question];
    co_await boost::asio::async_write(socket, boost::asio::buffer(answer),
                                      redirect_error(use_awaitable, error));
  }
}

const std::string kSignature = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n";

// One file in a tar archive.
std::string InTar(std::string name, std::string content) {
  constexpr size_t kBlock = 512;
  std::array<char, 12> size;
  std::snprintf(size.data(), size.size(), "%011zo", content.size());
  name.resize(124);
  name.append(size.data(), size.size());
  name.resize(156);
  name += '0';  // a plain file
  name.resize(kBlock);
  content.resize((content.size() + kBlock - 1) / kBlock * kBlock);
  return name + content;
}

// A signature database as `sigtool --build --unsigned` makes it, made so many hours ago (of its
// two dates clamd reads the last): the one kind with a date that it loads without the project's
// key.
std::string UnsignedDatabase(const std::string& version, int hours) {
  const std::string sha256 = "694f6994cf23f9638786e9466ce87efe02a5e03348d5236eeba5f44e169a11f1";
  const std::string header = "ClamAV-VDB:-:" + version +
                             ":1:90:X:X:test:" + std::to_string(std::time(nullptr) - hours * 3600);
  std::string padded = header;
  padded.resize(512, ' ');
  const std::string contents =
      header + "\ndaily.hdb:" + std::to_string(kSignature.size()) + ":" + sha256 + "\n";
  return padded + InTar("daily.info", contents) + InTar("daily.hdb", kSignature) +
         std::string(1024, '\0');
}

class ClamdTest : public SensorFixture {
 protected:
  ClamdTest() {
    // Another zone than UTC, because clamd tells its local time; without an hour that comes twice.
    ::setenv("TZ", "<+0530>-5:30", 1);
    ::tzset();
  }

  void Start() {
    const std::string& path = directory_.path();
    std::ofstream(path + "/clamd.conf") << "LocalSocket " << path << "/clamd.ctl\nTCPSocket "
                                        << port_ << "\nTCPAddr 127.0.0.1\nDatabaseDirectory "
                                        << path << "\nForeground yes\nLogFile " << path << "/log\n";
    auto started =
        ChildProcess::Start({"/usr/sbin/clamd", "--config-file=" + path + "/clamd.conf"});
    ASSERT_TRUE(started.ok());
    clamd_ = std::move(*started);
  }

  // As freshclam does: the new file in place of the old, and word to clamd.
  void Put(const std::string& database) {
    const std::string path = directory_.path() + "/daily.cud";
    std::ofstream(path + ".new") << database;
    std::filesystem::rename(path + ".new", path);
  }
  void Reload() {
    boost::asio::local::stream_protocol::socket socket(io_);
    socket.connect(boost::asio::local::stream_protocol::endpoint(Socket()));
    boost::asio::write(socket, boost::asio::buffer(std::string("nRELOAD\n")));
    std::string answer;
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(answer, 100), '\n');
    EXPECT_EQ(answer, "RELOADING\n");
  }

  void Update(const std::string& version, int hours) {
    Put(UnsignedDatabase(version, hours));
    Reload();
  }

  // Asks until this is in the answer: clamd takes a moment to start and to load.
  Answer AskUntil(Sensor& sensor, const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    Answer answer = Ask(sensor);
    while (answer.text.find(text) == std::string::npos && std::chrono::steady_clock::now() < end) {
      answer = Ask(sensor);
    }
    EXPECT_THAT(answer.text, HasSubstr(text));
    return answer;
  }

  std::string Socket() const { return directory_.path() + "/clamd.ctl"; }

  TempDir directory_;
  uint16_t port_ = FreePort<tcp>();
  std::unique_ptr<ChildProcess> clamd_;
};

TEST_F(ClamdTest, SignaturesGrowOldUntilNewOnesCome) {
  Put(UnsignedDatabase("27450", 20));
  ASSERT_NO_FATAL_FAILURE(Start());
  auto sensor = Make("{sensor: antivirus, socket: " + Socket() + "}");
  const Answer fresh = AskUntil(*sensor, ", signatures 27450 are 20 h old");
  EXPECT_EQ(fresh.state, State::kOk);
  EXPECT_THAT(fresh.text, testing::StartsWith("ClamAV "));
  EXPECT_NEAR(Value(fresh, "antivirus_signatures_timestamp_seconds").value_or(0),
              static_cast<double>(std::time(nullptr) - 20 * 3600), 60);
  Update("27449", 49);
  EXPECT_EQ(AskUntil(*sensor, "signatures 27449 are 49 h old").state, State::kWarning);
  EXPECT_EQ(Ask("{sensor: antivirus, warning: 3d, socket: " + Socket() + "}").state, State::kOk);
  Update("27441", 24 * 10);
  EXPECT_EQ(AskUntil(*sensor, "signatures 27441 are 240 h old").state, State::kCritical);
  Update("27451", 1);
  EXPECT_EQ(AskUntil(*sensor, "signatures 27451 are 1 h old").state, State::kOk);
  const std::string target = "127.0.0.1:" + std::to_string(port_);
  EXPECT_EQ(Ask("{sensor: antivirus, target: '" + target + "'}").text, Ask(*sensor).text);
}

TEST_F(ClamdTest, SignaturesOfOurOwnHaveNoAge) {
  std::ofstream(directory_.path() + "/own.hdb") << kSignature;
  auto sensor = Make("{sensor: antivirus, socket: " + Socket() + "}");
  const Answer before = Ask(*sensor);
  EXPECT_EQ(before.state, State::kCritical);
  EXPECT_THAT(before.text, HasSubstr("clamd does not run"));
  ASSERT_NO_FATAL_FAILURE(Start());
  const Answer answer = AskUntil(*sensor, "does not tell the age of its signatures");
  EXPECT_EQ(answer.state, State::kUnknown);
  EXPECT_THAT(answer.text, testing::StartsWith("ClamAV "));
  clamd_->Stop();
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
}

TEST_F(ClamdTest, ABrokenDownloadLeavesTheOldSignaturesAndTheirAge) {
  Put(UnsignedDatabase("27450", 49));
  ASSERT_NO_FATAL_FAILURE(Start());
  auto sensor = Make("{sensor: antivirus, socket: " + Socket() + "}");
  AskUntil(*sensor, "signatures 27450 are 49 h old");
  std::string broken = UnsignedDatabase("27451", 1);
  broken.replace(broken.find("Eicar"), 1, "x");
  Put(broken);
  Reload();
  EXPECT_NE(clamd_->AwaitLine("keeping the previous instance", Millis(30'000)), "")
      << clamd_->LastLines();
  const Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kWarning);
  EXPECT_THAT(answer.text, HasSubstr("signatures 27450 are 49 h old"));
}

// Answers what it is told to, over TCP.
class AntivirusTest : public SensorFixture {
 protected:
  AntivirusTest() { boost::asio::co_spawn(io_, Serve(acceptor_, script_), boost::asio::detached); }
  ~AntivirusTest() override { acceptor_->close(); }

  Answer AskWith(const std::string& ping, const std::string& version) {
    *script_ = {{"nPING\n", ping}, {"nVERSION\n", version}};
    return Ask("{sensor: antivirus, target: '127.0.0.1:" +
               std::to_string(acceptor_->local_endpoint().port()) + "'}");
  }

  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::shared_ptr<tcp::acceptor> acceptor_ = std::make_shared<tcp::acceptor>(
      io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
};

TEST_F(AntivirusTest, WhoeverIsNotClamdIsUnknown) {
  for (const auto& [ping, version] :
       {std::pair("HTTP/1.1 400 Bad Request\r\n", ""), std::pair("PONG\n", "220 mail ESMTP\n")}) {
    const Answer answer = AskWith(ping, version);
    EXPECT_EQ(answer.state, State::kUnknown);
    EXPECT_THAT(answer.text, HasSubstr("this is not clamd"));
  }
}

TEST_F(AntivirusTest, HangingUpIsCritical) {
  EXPECT_EQ(AskWith("", "").state, State::kCritical);
  EXPECT_EQ(AskWith("PONG\n", "").state, State::kCritical);
}

// "ClamAV …" with signatures made so many hours ago.
std::string VersionMade(int hours_ago) {
  const std::time_t when = std::time(nullptr) - hours_ago * 3600;
  std::array<char, 64> text;
  std::tm made{};
  std::strftime(text.data(), text.size(), "ClamAV 1.4.6/27449/%a %b %e %H:%M:%S %Y\n",
                ::localtime_r(&when, &made));
  return text.data();
}

TEST_F(AntivirusTest, SignaturesOfTomorrowTellNothing) {
  const Answer zone = AskWith("PONG\n", VersionMade(-3));
  EXPECT_EQ(zone.state, State::kOk) << "clamd tells the time of its own zone";
  EXPECT_EQ(zone.text, "ClamAV 1.4.6, signatures 27449 are 0 h old");
  const Answer clock = AskWith("PONG\n", VersionMade(-24 * 400));
  EXPECT_EQ(clock.state, State::kUnknown);
  EXPECT_EQ(clock.text, "a clock is wrong: ClamAV 1.4.6, signatures 27449 are of the future");
}

TEST_F(AntivirusTest, FaultsSayWhatIsAllowed) {
  EXPECT_THAT(FaultsOf("{sensor: antivirus}"), testing::IsEmpty());
  EXPECT_THAT(FaultsOf("{sensor: antivirus, socket: x}").front(), HasSubstr("absolute path"));
  EXPECT_THAT(FaultsOf("{sensor: antivirus, warning: 8d}").front(), HasSubstr("longer"));
}

TEST(ClamdLines, AreReadOrRefused) {
  const auto version = ParseClamdVersion("ClamAV 1.4.6/27450/Wed Nov  9 09:37:52 2026\n");
  ASSERT_TRUE(version && version->made);
  EXPECT_EQ(version->made->tm_mday, 9);
  EXPECT_EQ(version->made->tm_mon, 10);
  EXPECT_FALSE(ParseClamdVersion("ClamAV 1.4.6/27450/Wed Nox 19 09:37:52 2026")->made);
  EXPECT_FALSE(ParseClamdVersion("ClamAV 1.4.6\n")->made);
  EXPECT_FALSE(ParseClamdVersion("220 mail ESMTP"));
}

}  // namespace
}  // namespace oppetid::agent
