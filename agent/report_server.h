// report.sock: where programs on this machine report to the agent. One line in, one line out, per
// connection; who calls is what the kernel says (SO_PEERCRED), not what the line says.
//
// Everybody may connect, so everything is bounded: the line, the time it may take, the connections
// at a time, of one user and of all.
// Threading: the executor's thread. Lifetime: clock and reports outlive it; after Stop() it may be
// destroyed as soon as the executor has run its handlers.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "agent/reports.h"
#include "common/log.h"

namespace oppetid::agent {

// Sixteen users at their bound; each costs a descriptor and a few kilobytes.
inline constexpr size_t kMaxReporters = 64;
inline constexpr size_t kMaxReportersOfOne = 4;
inline constexpr Millis kReportWithin{5'000};

class ReportServer {
 public:
  ReportServer(const boost::asio::any_io_executor& executor, const Clock& clock, Reports& reports);
  ~ReportServer();

  // Listens at `path`, replacing a socket left behind there. A refusal says why.
  absl::Status Listen(const std::string& path);
  // Takes no more, drops what is under way, removes the socket.
  void Stop();

 private:
  class Session;
  void Accept();
  void OnAccept(boost::system::error_code error, boost::asio::local::stream_protocol::socket peer);
  // Makes silence heard when its time comes.
  void AwaitSilence();
  void End(const std::shared_ptr<Session>& session);
  void TellRefusal(uid_t user, std::string_view reply);

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  Reports& reports_;
  std::string path_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer accept_again_;
  boost::asio::steady_timer silence_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::map<uid_t, size_t> reporters_;
  RateLimit refusals_{Millis(60'000)};
};

}  // namespace oppetid::agent
