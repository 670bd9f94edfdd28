// Tickets that somebody else's program pushes: POST /api/v1/tickets.
//
// Lines of tickets.jsonl, or a JSON list of such objects; one event of a ticket or many. Who pushes
// may speak of the municipalities of its token alone, and of no ticket that was ever another's. The
// answer says how many were taken, and for each that was not its line and why, never what it said.
// Pushes are taken one at a time. Threading: the hub's thread. Lifetime: what the constructor takes
// outlives this.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/hub.h"
#include "collector/tickets/ticket_source.h"
#include "collector/web/http_server.h"

namespace oppetid::collector {

class TicketIntake {
 public:
  // `sources`: names that a push may not use, nor begin its ids with.
  TicketIntake(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
               boost::asio::any_io_executor executor, std::vector<std::string> sources);

  // `request.reach` is what it may speak of.
  void Push(const HttpRequest& request, HttpDone done);
  // Grows whenever tickets were stored.
  uint64_t stored() const { return stored_; }

 private:
  struct Job;
  void Read(Job& job, const std::string& body) const;
  void ReadLine(Job& job, int line, std::string_view text) const;
  void Next();
  void Store(const std::shared_ptr<Job>& job);

  Hub& hub_;
  const Ledger& ledger_;
  const Clock& clock_;
  BlockingPool& pool_;
  boost::asio::any_io_executor executor_;
  std::vector<std::string> sources_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool busy_ = false;
  uint64_t stored_ = 0;
};

}  // namespace oppetid::collector
