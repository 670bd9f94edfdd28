// Against a real clamd with a signature of our own, and against a stand-in that tells what a clamd
// with the project's signatures tells: those are signed, and too large for a test.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <map>

#include "agent/sensors/clamd_lines.h"
#include "tests/support/child_process.h"
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

class AntivirusTest : public SensorFixture {
 protected:
  AntivirusTest() {
    boost::asio::co_spawn(io_, Serve(acceptor_, script_), boost::asio::detached);
    (*script_)["nPING\n"] = "PONG\n";
  }
  ~AntivirusTest() override { acceptor_->close(); }

  // "Wed Nov 19 09:37:52 2026", so many hours ago.
  static std::string HoursAgo(int hours) {
    const std::time_t at = std::time(nullptr) - hours * 3600;
    std::string text = std::ctime(&at);
    text.pop_back();
    return text;
  }

  Answer AskWithAge(int hours, const std::string& more = "") {
    (*script_)["nVERSION\n"] = "ClamAV 1.4.6/27450/" + HoursAgo(hours) + "\n";
    return Ask("{sensor: antivirus, target: '127.0.0.1:" +
               std::to_string(acceptor_->local_endpoint().port()) + "'" + more + "}");
  }

  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::shared_ptr<tcp::acceptor> acceptor_ = std::make_shared<tcp::acceptor>(
      io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
};

TEST_F(AntivirusTest, SignaturesGrowOld) {
  const Answer fresh = AskWithAge(20);
  EXPECT_EQ(fresh.state, State::kOk) << fresh.text;
  EXPECT_EQ(fresh.text, "ClamAV 1.4.6, signatures 27450 are 20 h old");
  EXPECT_NEAR(*Value(fresh, "antivirus_signatures_timestamp_seconds"),
              static_cast<double>(std::time(nullptr) - 20 * 3600), 60);
  EXPECT_EQ(AskWithAge(49).state, State::kWarning);
  EXPECT_EQ(AskWithAge(24 * 8).state, State::kCritical);
  EXPECT_EQ(AskWithAge(49, ", warning: 3d").state, State::kOk);
}

TEST_F(AntivirusTest, WhoeverIsNotClamdIsUnknown) {
  (*script_)["nPING\n"] = "HTTP/1.1 400 Bad Request\r\n";
  EXPECT_THAT(AskWithAge(1).text, HasSubstr("this is not clamd"));
  EXPECT_EQ(AskWithAge(1).state, State::kUnknown);
  (*script_)["nPING\n"] = "";
  EXPECT_EQ(AskWithAge(1).state, State::kCritical) << "it hangs up without an answer";
}

TEST_F(AntivirusTest, ARealClamdAnswersAndItsEndIsCritical) {
  TempDir directory;
  const std::string& path = directory.path();
  const std::string socket = path + "/clamd.ctl";
  std::ofstream(path + "/own.hdb") << "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n";
  std::ofstream(path + "/clamd.conf") << "LocalSocket " << socket << "\nDatabaseDirectory " << path
                                      << "\nForeground yes\nLogFile " << path << "/log\n";
  auto child = ChildProcess::Start({"/usr/sbin/clamd", "--config-file=" + path + "/clamd.conf"});
  ASSERT_TRUE(child.ok());
  auto sensor = Make("{sensor: antivirus, socket: " + socket + "}");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  Answer answer = Ask(*sensor);
  EXPECT_EQ(answer.state, State::kCritical);
  EXPECT_THAT(answer.text, HasSubstr("clamd does not run"));
  while (answer.state == State::kCritical && std::chrono::steady_clock::now() < end) {
    answer = Ask(*sensor);
  }
  EXPECT_EQ(answer.state, State::kUnknown) << "signatures of our own have no age";
  EXPECT_THAT(answer.text, HasSubstr("does not tell the age of its signatures"));
  EXPECT_THAT(answer.text, testing::StartsWith("ClamAV "));
  (*child)->Stop();
  EXPECT_EQ(Ask(*sensor).state, State::kCritical);
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
