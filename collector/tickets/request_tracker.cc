#include "collector/tickets/request_tracker.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/tickets/rt_history.h"
#include "common/file.h"

namespace oppetid::collector {
namespace {

using boost::asio::awaitable;

// A ticket with more transactions than ten thousand is a loop between two mail robots.
constexpr int kMaxTransactionPages = 100;
constexpr char kTicketFields[] =
    "&fields=Status,Queue,Priority,Created,LastUpdated,Requestor,CustomFields"
    "&fields%5BQueue%5D=Name";
constexpr char kTransactionFields[] =
    "&orderby=id&order=ASC&per_page=100&fields=Type,Created,Field,OldValue,NewValue,Creator,"
    "ObjectId";

// As a query of RT wants it: 2026-11-02 07:00:00.
std::string QueryTime(Instant at) {
  std::string text = FormatInstant(std::chrono::floor<std::chrono::seconds>(at)).substr(0, 19);
  text[10] = ' ';
  return text;
}

class RequestTracker : public TicketSource {
 public:
  RequestTracker(RequestTrackerConfig config, std::unique_ptr<HttpsClient> client,
                 BlockingPool& pool)
      : config_(std::move(config)), client_(std::move(client)), pool_(pool) {}

  awaitable<absl::StatusOr<TicketPage>> Read(TicketQuestion question) override {
    TicketPage page;
    absl::Status status = co_await ReadToken();
    if (status.ok() && queues_.empty() && NamesQueues()) status = co_await ReadQueues();
    if (!status.ok()) co_return status;
    if (question.ids.empty()) {
      status = co_await ReadChanged(question, &page);
    } else {
      status = co_await ReadIds(question, &page);
    }
    if (!status.ok()) co_return status;
    co_return page;
  }

 private:
  // Read anew each time, so that a token can be replaced while we run.
  awaitable<absl::Status> ReadToken() {
    std::function<absl::StatusOr<std::string>()> read = [file = config_.token_file] {
      return ReadSecretFile(file);
    };
    const auto token = co_await OnPool(pool_, std::move(read));
    if (!token.ok()) co_return token.status();
    authorization_ = "token " + token->substr(0, token->find_first_of("\r\n"));
    co_return absl::OkStatus();
  }

  awaitable<absl::StatusOr<std::string>> Get(std::string target) {
    auto reply = co_await client_->Get(std::move(target), authorization_);
    if (!reply.ok()) co_return reply.status();
    if (reply->status == 401) {
      co_return absl::UnauthenticatedError("Request Tracker does not accept the token (401)");
    }
    if (reply->status != 200) {
      const auto code =
          reply->status == 404 ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable;
      co_return absl::Status(code, absl::StrCat("Request Tracker answers ", reply->status));
    }
    co_return std::move(reply->body);
  }

  bool NamesQueues() const {
    const TicketMapping& its = config_.mapping;
    return its.municipality.from == "Queue" || its.kind.from == "Queue" ||
           its.priority.from == "Queue" || its.service.from == "Queue";
  }

  static absl::Status NotUnderstood() {
    return absl::UnavailableError("Request Tracker's answer is not what REST2 promises");
  }

  awaitable<absl::Status> ReadQueues() {
    for (int number = 1;; ++number) {
      const auto body =
          co_await Get(absl::StrCat("/queues/all?per_page=100&fields=Name&page=", number));
      if (!body.ok()) co_return body.status();
      const auto names = ParseRtQueues(*body);
      if (!names) co_return NotUnderstood();
      queues_.insert(names->begin(), names->end());
      if (names->empty() || number >= kMaxTransactionPages) co_return absl::OkStatus();
    }
  }

  // All transactions that a query finds; rows that the reader may not see are missing from pages,
  // so only an empty page is the last.
  awaitable<absl::StatusOr<std::vector<RtTransaction>>> Transactions(std::string query) {
    std::vector<RtTransaction> all;
    for (int number = 1;; ++number) {
      if (number > kMaxTransactionPages) {
        co_return absl::ResourceExhaustedError("more transactions than can be read at a time");
      }
      const auto body = co_await Get(absl::StrCat("/transactions?query=", EncodeQuery(query),
                                                  kTransactionFields, "&page=", number));
      if (!body.ok()) co_return body.status();
      auto page = ParseRtTransactions(*body);
      if (!page) co_return NotUnderstood();
      if (page->count == 0) break;
      std::move(page->transactions.begin(), page->transactions.end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    co_return all;
  }

  awaitable<absl::Status> ReadChanged(TicketQuestion question, TicketPage* page) {
    if (!question.goes_on) {
      if (auto status = co_await ReadGone(question.changed_since, page); !status.ok()) {
        co_return status;
      }
    }
    // Within one second there may be more tickets than a page has; then the token counts pages.
    int number = 1;
    if (question.goes_on && question.token.starts_with('p')) {
      number = std::clamp(std::atoi(question.token.c_str() + 1), 1, 1'000'000);
    }
    const Instant after = question.changed_since - Millis(1'000);
    const std::string query = "LastUpdated > '" + QueryTime(after) + "'";
    const auto body = co_await Get(
        absl::StrCat("/tickets?query=", EncodeQuery(query),
                     "&orderby=LastUpdated&orderby=id&order=ASC&order=ASC&per_page=", config_.page,
                     "&page=", number, kTicketFields));
    if (!body.ok()) co_return body.status();
    const auto found = ParseRtTickets(*body);
    if (!found) co_return NotUnderstood();
    for (const RtTicket& ticket : found->tickets) {
      if (ticket.updated >= after) continue;
      co_return absl::FailedPreconditionError(
          "Request Tracker reads our dates in another time zone; set its API user's to UTC");
    }
    page->changed = question.changed_since;
    page->more = found->pages > number;
    if (!found->tickets.empty()) {
      page->changed = std::max(page->changed, found->tickets.back().updated);
    }
    const bool further = page->changed > question.changed_since;
    page->token = page->more && !further ? absl::StrCat("p", number + 1) : "";
    co_return co_await AddHistories(found->tickets, page);
  }

  awaitable<absl::Status> ReadGone(Instant since, TicketPage* page) {
    const std::string query =
        absl::StrCat("ObjectType = 'RT::Ticket' AND Created > '", QueryTime(since - Millis(1'000)),
                     "' AND ((Type = 'AddLink' AND Field = 'MergedInto') OR "
                     "(Type = 'Status' AND NewValue = 'deleted'))");
    const auto found = co_await Transactions(query);
    // So many in one round are years of history, of which nothing is known here yet.
    if (absl::IsResourceExhausted(found.status())) co_return absl::OkStatus();
    if (!found.ok()) co_return found.status();
    for (const RtTransaction& its : *found) {
      // A merge is told of both tickets; the one that stays is named by the link.
      const bool stays =
          its.type == "AddLink" && its.after.ends_with("/ticket/" + std::to_string(its.ticket));
      if (!stays) page->gone.push_back({std::to_string(its.ticket), its.at});
    }
    co_return absl::OkStatus();
  }

  awaitable<absl::Status> ReadIds(TicketQuestion question, TicketPage* page) {
    page->changed = question.changed_since;
    std::string query;
    for (const std::string& id : question.ids) {
      absl::StrAppend(&query, query.empty() ? "" : " OR ", "id = ", std::atoll(id.c_str()));
    }
    const auto body = co_await Get(
        absl::StrCat("/tickets?query=", EncodeQuery(query), "&per_page=100", kTicketFields));
    if (!body.ok()) co_return body.status();
    const auto found = ParseRtTickets(*body);
    if (!found) co_return NotUnderstood();
    std::set<std::string> missing(question.ids.begin(), question.ids.end());
    for (const RtTicket& ticket : found->tickets) missing.erase(std::to_string(ticket.id));
    for (const std::string& id : missing) {
      const auto alone = co_await Get("/ticket/" + EncodeQuery(id));
      if (!alone.ok() && !absl::IsNotFound(alone.status())) co_return alone.status();
      const auto state = alone.ok() ? ParseRtState(*alone) : RtState{};
      if (!state) co_return NotUnderstood();
      // Another ticket answers for one that was merged into it.
      const bool gone = std::to_string(state->id) != id || state->status == "deleted";
      if (gone) page->gone.push_back({id, question.now});
    }
    co_return co_await AddHistories(found->tickets, page);
  }

  awaitable<absl::Status> AddHistories(std::vector<RtTicket> tickets, TicketPage* page) {
    if (tickets.empty()) co_return absl::OkStatus();
    std::string which;
    for (const RtTicket& ticket : tickets) {
      absl::StrAppend(&which, which.empty() ? "" : " OR ", "ObjectId = ", ticket.id);
    }
    const auto found = co_await Transactions(absl::StrCat(
        "ObjectType = 'RT::Ticket' AND (", which,
        ") AND (Type = 'Create' OR Type = 'Status' OR Type = 'Correspond' OR Type = 'Set' OR "
        "Type = 'CustomField')"));
    if (!found.ok()) co_return found.status();
    std::map<int64_t, std::vector<RtTransaction>> by_ticket;
    bool new_queue = false;
    for (const RtTransaction& its : *found) {
      by_ticket[its.ticket].push_back(its);
      new_queue = new_queue || (its.field == "Queue" && !queues_.contains(its.after));
    }
    if (new_queue && NamesQueues()) {
      if (auto status = co_await ReadQueues(); !status.ok()) co_return status;
    }
    for (const RtTicket& ticket : tickets) {
      page->tickets.push_back(RtHistory(ticket, by_ticket[ticket.id], config_.mapping, queues_));
    }
    co_return absl::OkStatus();
  }

  RequestTrackerConfig config_;
  std::unique_ptr<HttpsClient> client_;
  BlockingPool& pool_;
  std::string authorization_;
  std::map<std::string, std::string> queues_;  // names by id
};

}  // namespace

absl::StatusOr<std::unique_ptr<TicketSource>> MakeRequestTracker(RequestTrackerConfig config,
                                                                 BlockingPool& pool) {
  auto client = HttpsClient::Make(config.url, config.ca_file, pool);
  if (!client.ok()) return client.status();
  return std::make_unique<RequestTracker>(std::move(config), *std::move(client), pool);
}

MakeTicketSource ReadRequestTrackerKeys(YamlMap& map, TicketMapping& mapping) {
  RequestTrackerConfig config;
  const std::string url = map.RequiredString("url");
  if (const auto parsed = ParseApiUrl(url)) {
    config.url = *parsed;
  } else if (!url.empty()) {
    map.Fault("url", "`url`: expected https://host/…/REST/2.0; http:// only to a loopback address");
  }
  config.token_file = map.RequiredString("token_file");
  config.ca_file = map.String("ca", "");
  if (mapping.priority.from.empty()) mapping.priority.from = "Priority";
  if (!mapping.status.from.empty()) {
    map.Fault("status", "`status`: has no `from` here; it is the ticket's own status");
  }
  RequireField(map, "municipality", mapping.municipality, true);
  RequireField(map, "kind", mapping.kind, true);
  RequireField(map, "priority", mapping.priority, false);
  RequireField(map, "status", mapping.status, false);
  if (!mapping.service.words.empty()) RequireField(map, "service", mapping.service, true);
  config.mapping = mapping;
  return [config](BlockingPool& pool) { return MakeRequestTracker(config, pool); };
}

}  // namespace oppetid::collector
