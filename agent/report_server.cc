#include "agent/report_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace oppetid::agent {
namespace {

using boost::asio::local::stream_protocol;

constexpr Millis kAcceptAgainAfter{1'000};

std::optional<uid_t> UserOf(stream_protocol::socket& peer) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(peer.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return std::nullopt;
  }
  return credentials.uid;
}

}  // namespace

// One caller. Its handlers keep it alive.
class ReportServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(ReportServer& server, stream_protocol::socket peer, uid_t user)
      : server_(server), peer_(std::move(peer)), deadline_(server.executor_), user_(user) {}

  uid_t user() const { return user_; }

  void Start() {
    deadline_.expires_after(kReportWithin);
    deadline_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->Close();
    });
    Read();
  }

  void Close() {
    boost::system::error_code ignored;  // nothing is lost with it
    peer_.close(ignored);
    deadline_.cancel();
  }

 private:
  void Read() {
    peer_.async_read_some(boost::asio::buffer(buffer_),
                          [self = shared_from_this()](boost::system::error_code error,
                                                      size_t size) { self->OnRead(error, size); });
  }

  void OnRead(boost::system::error_code error, size_t size) {
    if (error) return Finish();  // gone, or too slow
    line_.append(buffer_.data(), size);
    const size_t end = line_.find('\n');
    if (end != std::string::npos) {
      line_.resize(end);
      return Reply(server_.reports_.Take(line_, user_));
    }
    // What is too long is answered without being read to its end.
    if (line_.size() > kMaxReportLine) return Reply(server_.reports_.Take(line_, user_));
    Read();
  }

  void Reply(std::string reply) {
    if (reply != FormatReply("")) server_.TellRefusal(user_, reply);
    server_.AwaitSilence();
    reply_ = std::move(reply);
    boost::asio::async_write(
        peer_, boost::asio::buffer(reply_),
        [self = shared_from_this()](boost::system::error_code, size_t) { self->Finish(); });
  }

  void Finish() {
    Close();
    server_.End(shared_from_this());
  }

  ReportServer& server_;
  stream_protocol::socket peer_;
  boost::asio::steady_timer deadline_;
  uid_t user_;
  std::array<char, 1024> buffer_{};
  std::string line_;
  std::string reply_;
};

ReportServer::ReportServer(const boost::asio::any_io_executor& executor, const Clock& clock,
                           Reports& reports)
    : executor_(executor),
      clock_(clock),
      reports_(reports),
      acceptor_(executor),
      accept_again_(executor),
      silence_(executor) {}

ReportServer::~ReportServer() { Stop(); }

absl::Status ReportServer::Listen(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is longer than a socket's name may be; give another `report_socket`"));
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return absl::AlreadyExistsError(absl::StrCat(path, " is there and is no socket"));
    }
    ::unlink(path.c_str());  // if that fails, bind says why
  }
  boost::system::error_code error;
  acceptor_.open(stream_protocol(), error);
  if (!error) acceptor_.bind(stream_protocol::endpoint(path), error);
  if (error) return absl::UnavailableError(absl::StrCat("bind ", path, ": ", error.message()));
  path_ = path;
  // Who may report what is decided for each line.
  if (::chmod(path.c_str(), 0666) != 0) return absl::ErrnoToStatus(errno, "chmod " + path);
  acceptor_.listen(static_cast<int>(kMaxReporters), error);
  if (error) return absl::UnavailableError(absl::StrCat("listen ", path, ": ", error.message()));
  Accept();
  AwaitSilence();
  return absl::OkStatus();
}

void ReportServer::Stop() {
  boost::system::error_code ignored;  // nothing is lost with it
  acceptor_.close(ignored);
  accept_again_.cancel();
  silence_.cancel();
  for (const auto& session : sessions_) session->Close();
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

void ReportServer::Accept() {
  acceptor_.async_accept([this](boost::system::error_code error, stream_protocol::socket peer) {
    OnAccept(error, std::move(peer));
  });
}

void ReportServer::OnAccept(boost::system::error_code error, stream_protocol::socket peer) {
  if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
  if (error) {
    // Out of descriptors: asking again at once would only burn.
    accept_again_.expires_after(kAcceptAgainAfter);
    accept_again_.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled) Accept();
    });
    return;
  }
  const auto user = UserOf(peer);
  if (user && sessions_.size() < kMaxReporters && reporters_[*user] < kMaxReportersOfOne) {
    ++reporters_[*user];
    const auto session = std::make_shared<Session>(*this, std::move(peer), *user);
    sessions_.insert(session);
    session->Start();
  }
  Accept();
}

void ReportServer::TellRefusal(uid_t user, std::string_view reply) {
  uint64_t suppressed = 0;
  if (!refusals_.Allow(clock_.SteadyNow(), &suppressed)) return;
  LogWarning("a report was refused", {{"user", static_cast<uint64_t>(user)},
                                      {"reply", reply.substr(0, reply.find('\n'))},
                                      {"more", suppressed}});
}

void ReportServer::AwaitSilence() {
  if (!acceptor_.is_open()) return;
  const auto next = reports_.TellSilent();
  if (!next) return;
  silence_.expires_at(*next);
  silence_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled) AwaitSilence();
  });
}

void ReportServer::End(const std::shared_ptr<Session>& session) {
  if (sessions_.erase(session) == 0) return;
  const auto found = reporters_.find(session->user());
  if (--found->second == 0) reporters_.erase(found);
}

}  // namespace oppetid::agent
