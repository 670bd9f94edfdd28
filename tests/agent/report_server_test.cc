#include "agent/report_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <future>

#include "agent/report_client.h"
#include "tests/support/reports_fixture.h"
#include "tests/support/temp_dir.h"

namespace oppetid::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReportServerTest : public ReportsFixture {
 protected:
  ReportServerTest() : path_(directory_.path() + "/report.sock") {
    ::chmod(directory_.path().c_str(), 0711);
  }

  // A passive check `raid` that this user may report.
  void Listen(const std::string& users) {
    Start({"{name: raid, sensor: report, every: 1h, users: [" + users + "]}"});
    server_.emplace(io_.get_executor(), clock_, *reports_);
    const auto status = server_->Listen(path_);
    ASSERT_TRUE(status.ok()) << status;
  }
  static std::string Me() { return std::to_string(::geteuid()); }

  // Runs the server while `work`, which blocks, is done elsewhere.
  template <typename T>
  T Serving(std::function<T()> work) {
    std::future<T> done = std::async(std::launch::async, std::move(work));
    io_.restart();
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      io_.run_one_for(std::chrono::milliseconds(10));
    }
    return done.get();
  }

  absl::Status Send(const agent::Report& report) {
    std::function<absl::Status()> work = [&] { return SendReport(path_, report); };
    return Serving(std::move(work));
  }

  // What comes back for these bytes, until the other end closes.
  std::string Raw(const std::string& bytes) {
    std::function<std::string()> work = [&] {
      const int fd = Connect();
      std::string reply;
      if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) {
        char buffer[512];
        for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
          reply.append(buffer, static_cast<size_t>(got));
        }
      }
      ::close(fd);
      return reply;
    };
    return Serving(std::move(work));
  }

  int Connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  TempDir directory_;
  std::string path_;
  std::optional<ReportServer> server_;
};

const agent::Report kOk = CheckReport{"raid", State::kOk, "all in place"};

TEST_F(ReportServerTest, AReportArrives) {
  Listen(Me());
  const auto status = Send(kOk);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(news_, ElementsAre("raid"));
  EXPECT_EQ(Ask("raid").text, "all in place");
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666U);
}

// The kernel says who calls. As root the caller is a child that has become somebody else; an
// ordinary user is refused what root alone may report.
TEST_F(ReportServerTest, AForeignUserIsRefused) {
  Listen("0");
  constexpr uid_t kNobody = 65534;
  std::function<int()> work = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(9);
      const auto status = SendReport(path_, kOk);
      ::_exit(status.message().find("may not report `raid`") != std::string_view::npos ? 3 : 4);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(Serving(std::move(work)), 3);
  EXPECT_THAT(news_, IsEmpty());
}

TEST_F(ReportServerTest, GarbageIsAnsweredAndHarmsNothing) {
  Listen(Me());
  EXPECT_THAT(Raw("hello\n"), HasSubstr("no JSON object"));
  EXPECT_THAT(Raw(std::string("\0\xff\x80\n", 4)), HasSubstr("no JSON object"));
  EXPECT_THAT(Raw(std::string(kMaxReportLine + 1, 'x')), HasSubstr("longer than 4096 bytes"));
  EXPECT_THAT(Raw("{\"check\":\"raid\",\"state\":\"ok\"}\n{\"check\":\"raid\"}\n"),
              HasSubstr("\"accepted\":true"))
      << "one line per connection";
  EXPECT_EQ(news_.size(), 1U);
}

TEST_F(ReportServerTest, OneUserCannotHoldEveryPlace) {
  Listen(Me());
  std::vector<int> held;
  for (size_t i = 0; i < kMaxReportersOfOne; ++i) held.push_back(Connect());
  const auto refused = Send(kOk);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("too many callers"));
  for (const int fd : held) ::close(fd);
  std::function<bool()> work = [&] {
    // Their places are free as soon as the server has seen that they left.
    for (int i = 0; i < 1000; ++i) {
      if (SendReport(path_, kOk).ok()) return true;
    }
    return false;
  };
  EXPECT_TRUE(Serving(std::move(work)));
}

TEST_F(ReportServerTest, RefusalsAndAbsenceAreToldApart) {
  Listen(Me());
  EXPECT_THAT(std::string(Send(CheckReport{"other", State::kOk, ""}).message()),
              HasSubstr("refused: there is no check `other`"));
  server_->Stop();
  EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "the socket is gone";
  EXPECT_THAT(std::string(Send(kOk).message()), HasSubstr("cannot reach the agent at " + path_));
}

TEST_F(ReportServerTest, ASocketLeftBehindIsReplacedAndNothingElse) {
  Listen(Me());
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".left").c_str()), 0);
  server_->Stop();
  ASSERT_EQ(::rename((path_ + ".left").c_str(), path_.c_str()), 0);
  Listen(Me());
  EXPECT_TRUE(Send(kOk).ok());
  server_->Stop();
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  server_.emplace(io_.get_executor(), clock_, *reports_);
  EXPECT_THAT(std::string(server_->Listen(path_).message()), HasSubstr("is no socket"));
  EXPECT_THAT(std::string(server_->Listen("/" + std::string(200, 'x')).message()),
              HasSubstr("longer than a socket's name may be"));
}

}  // namespace
}  // namespace oppetid::agent
