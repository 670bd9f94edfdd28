#include "collector/tickets/intake.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/str_cat.h"
#include "collector/api.h"
#include "collector/tickets/ticket_json.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// Pushes that wait; whoever pushes can try again.
constexpr size_t kMaxJobs = 16;
// Listed in an answer; the rest is counted.
constexpr size_t kMaxListed = 1'000;

bool Covers(const Reach& reach, const Ticket& ticket) {
  return reach.Covers(ticket.municipality) &&
         std::all_of(ticket.events.begin(), ticket.events.end(), [&](const TicketEvent& event) {
           return event.municipality.empty() || reach.Covers(event.municipality);
         });
}

bool Covers(const Reach& reach, const TicketWrite& ticket) {
  return reach.Covers(ticket.municipality) &&
         std::all_of(ticket.events.begin(), ticket.events.end(), [&](const auto& write) {
           return write.event.municipality.empty() || reach.Covers(write.event.municipality);
         });
}

}  // namespace

struct TicketIntake::Job {
  Reach reach;
  HttpDone done;
  std::vector<std::pair<int, TicketWrite>> tickets;  // with their lines
  std::vector<TicketReject> rejects;
  size_t rejected = 0;

  void Reject(int line, std::string reason) {
    ++rejected;
    if (rejects.size() < kMaxListed) rejects.push_back({"", line, std::move(reason)});
  }
  HttpResponse Answer() const {
    std::string body =
        absl::StrCat("{\"taken\":", tickets.size(), ",\"rejected\":", rejected, ",\"rejects\":[");
    for (size_t i = 0; i < rejects.size(); ++i) {
      absl::StrAppend(&body, i == 0 ? "" : ",", "{\"line\":", rejects[i].line,
                      ",\"reason\":", JsonQuote(rejects[i].reason), "}");
    }
    HttpResponse answer = JsonAnswer(body + "]}\n");
    if (tickets.empty() && rejected > 0) answer.status = 400;
    return answer;
  }
};

TicketIntake::TicketIntake(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
                           boost::asio::any_io_executor executor, std::vector<std::string> sources)
    : hub_(hub),
      ledger_(ledger),
      clock_(clock),
      pool_(pool),
      executor_(std::move(executor)),
      sources_(std::move(sources)) {}

void TicketIntake::Push(const HttpRequest& request, HttpDone done) {
  if (jobs_.size() >= kMaxJobs) {
    return done(ErrorAnswer(absl::ResourceExhaustedError("too many pushes wait; try again")));
  }
  auto job = std::make_shared<Job>();
  job->reach = request.reach;
  job->done = std::move(done);
  Read(*job, request.body);
  if (job->tickets.empty()) return job->done(job->Answer());
  jobs_.push_back(std::move(job));
  Next();
}

void TicketIntake::Read(Job& job, const std::string& body) const {
  const size_t first = body.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && body[first] == '[') {
    boost::json::parser parser;
    boost::json::error_code error;
    parser.write(body.data(), body.size(), error);
    if (error) return job.Reject(1, "not a JSON list");
    const auto list = parser.release();
    int number = 0;
    for (const auto& element : list.as_array()) {
      const std::string text(boost::json::serialize(element));
      ReadLine(job, ++number, text);
    }
    return;
  }
  int line = 0;
  for (size_t from = 0; from < body.size();) {
    const size_t end = std::min(body.find('\n', from), body.size());
    ReadLine(job, ++line, std::string_view(body).substr(from, end - from));
    from = end + 1;
  }
}

void TicketIntake::ReadLine(Job& job, int line, std::string_view text) const {
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const TicketLine read = ReadTicketLine(text);
  if (!read.ticket) return job.Reject(line, read.reason);
  const std::string& id = read.ticket->id;
  const std::string source = read.source.empty() ? "push" : read.source;
  if (!IsId(source) || std::find(sources_.begin(), sources_.end(), source) != sources_.end()) {
    return job.Reject(line, "`source`: 1 to 63 of a-z, 0-9, - and ., and not a configured source");
  }
  for (const std::string& name : sources_) {
    if (id.starts_with(name + "-")) {
      return job.Reject(line, "`id`: begins as those of a configured source");
    }
  }
  MappedTicket mapped = MapTicket(source, *read.ticket, NeutralMapping(), clock_.Now());
  if (!mapped.ticket) return job.Reject(line, NeutralReason(mapped));
  if (!mapped.reason.empty()) return job.Reject(line, mapped.reason);
  mapped.ticket->id = id;  // whoever pushes has given it its prefix
  if (!Covers(job.reach, *mapped.ticket)) {
    return job.Reject(line, "`municipality`: not one that this token may speak of");
  }
  job.tickets.emplace_back(line, *std::move(mapped.ticket));
}

void TicketIntake::Next() {
  if (busy_ || jobs_.empty()) return;
  busy_ = true;
  const std::shared_ptr<Job> job = jobs_.front();
  jobs_.pop_front();
  if (job->reach.all) return Store(job);
  pool_.Post([this, job] {
    auto reader = ledger_.OpenReader();
    absl::Status status = reader.status();
    std::vector<std::pair<int, TicketWrite>> kept;
    for (auto& [line, ticket] : job->tickets) {
      if (!status.ok()) break;
      const auto stored = (*reader)->FindTicket(ticket.id);
      status = stored.status();
      if (!status.ok()) break;
      if (!*stored || Covers(job->reach, **stored)) {
        kept.emplace_back(line, std::move(ticket));
      } else {
        job->Reject(line, "`id`: not a ticket that this token may speak of");
      }
    }
    job->tickets = std::move(kept);
    boost::asio::post(executor_, [this, job, status] {
      if (status.ok()) return Store(job);
      busy_ = false;
      job->done(ErrorAnswer(status));
      Next();
    });
  });
}

void TicketIntake::Store(const std::shared_ptr<Job>& job) {
  auto batch = std::make_shared<Batch>();
  for (const auto& [line, ticket] : job->tickets) batch->tickets.push_back(ticket);
  hub_.Store(batch, [this, job](const absl::Status& status) {
    busy_ = false;
    if (status.ok()) stored_ += job->tickets.size();
    job->done(status.ok() ? job->Answer() : ErrorAnswer(status));
    Next();
  });
}

}  // namespace oppetid::collector
