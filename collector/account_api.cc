#include "collector/account_api.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/account/catalogues.h"
#include "collector/account/decisions.h"
#include "collector/account/decisions_json.h"
#include "collector/account/history.h"
#include "collector/admin_api.h"
#include "collector/report/catalogue_reader.h"
#include "collector/tickets/ticket_json.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

constexpr size_t kMaxReasonBytes = 1'000;
constexpr size_t kMaxFileBytes = 1'000;

// What the constructor takes of AddAccountPages; shared by all handlers.
struct Account {
  Acts& acts;
  const Agreements& agreements;
  Hub& hub;
  const Ledger& ledger;
  const Clock& clock;
};

json::array Lines(const std::vector<std::string>& lines) {
  return json::array(lines.begin(), lines.end());
}

std::vector<std::string> ChecksOfAgents(const Hub& hub) {
  std::vector<std::string> checks;
  const auto view = hub.MakeView();
  for (const auto& agent : view->agents) {
    for (const CheckView& check : agent->checks) checks.push_back(agent->host + "/" + check.check);
  }
  return checks;
}

void ShowCatalogue(const Account& account, const HttpRequest& request, const HttpDone& done) {
  AsKnownAt as_known_at;
  Instant at = account.clock.Now();
  for (const char* key : {"at", "as_known_at"}) {
    const std::string text = Query(request, key);
    if (text.empty()) continue;
    const auto instant = ParseInstant(text);
    if (!instant) {
      return done(
          TextAnswer(400, absl::StrCat(key, ": an instant such as 2026-07-01T00:00:00Z\n")));
    }
    (key == std::string("at") ? at : as_known_at.emplace()) = *instant;
  }
  const std::string period = Query(request, "period");
  const CatalogueVersion* version = nullptr;
  if (period.empty()) {
    version = account.agreements.InForce(at);
  } else {
    const auto of_period = CatalogueOfPeriod(account.agreements, period, as_known_at);
    if (!of_period.ok()) return done(ErrorAnswer(of_period.status()));
    version = *of_period;
  }
  if (version == nullptr) {
    return done(TextAnswer(404, "no catalogue was in force at " + FormatInstant(at) + "\n"));
  }
  HttpResponse response = TextAnswer(200, version->yaml);
  response.content_type = "application/yaml";
  done(std::move(response));
}

void ApplyCatalogue(const Account& account, const HttpRequest& request, const HttpDone& done) {
  const std::string file = OneLine(Query(request, "file"), kMaxFileBytes);
  const std::string reason = OneLine(Query(request, "reason"), kMaxReasonBytes);
  const bool dry_run = Query(request, "dry_run") == "1";
  // Filled when it is this act's turn.
  const auto draft = std::make_shared<CatalogueDraft>();
  const auto draw = [&account, draft, file, reason, yaml = request.body]() -> absl::Status {
    auto drawn = DraftCatalogue(yaml, file.empty() ? "catalogue" : file, reason, account.agreements,
                                ChecksOfAgents(account.hub));
    if (!drawn.ok()) return drawn.status();
    *draft = *std::move(drawn);
    return absl::OkStatus();
  };
  const auto answer = [draft, done](const Act* act) {
    json::object out{{"applied", act != nullptr},
                     {"in_force_already", draft->body.empty()},
                     {"changes", Lines(draft->changes)},
                     {"warnings", Lines(draft->warnings)}};
    if (act != nullptr) {
      out["number"] = act->number;
      out["at"] = FormatInstant(act->at);
    }
    done(JsonAnswer(json::serialize(out) + "\n"));
  };
  if (dry_run) {
    const absl::Status status = draw();
    return status.ok() ? answer(nullptr) : done(ErrorAnswer(status));
  }
  account.acts.Record(
      CallerOf(request),
      [draft, draw](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
        if (auto status = draw(); !status.ok()) return status;
        if (draft->body.empty()) return absl::AlreadyExistsError("in force already");
        return Acts::Draft{acts::kCatalogueApplied, draft->body};
      },
      [answer, done](const absl::StatusOr<Act>& act) {
        if (act.ok()) return answer(&*act);
        if (absl::IsAlreadyExists(act.status())) return answer(nullptr);
        done(ErrorAnswer(act.status()));
      });
}

void RecordDecision(const Account& account, const HttpRequest& request, const HttpDone& done) {
  const auto decision = std::make_shared<Decision>();
  account.acts.Record(
      CallerOf(request),
      [&account, decision, wish = request.body](uint64_t number,
                                                Instant at) -> absl::StatusOr<Acts::Draft> {
        auto decided = Decide(wish, account.agreements, number, at);
        if (!decided.ok()) return decided.status();
        *decision = *std::move(decided);
        return Acts::Draft{decision->kind, decision->body};
      },
      [decision, done](const absl::StatusOr<Act>& act) {
        if (!act.ok()) return done(ErrorAnswer(act.status()));
        const json::object out{{"number", act->number},
                               {"id", decision->id},
                               {"at", FormatInstant(act->at)},
                               {"remarks", Lines(decision->remarks)}};
        done(JsonAnswer(json::serialize(out) + "\n"));
      });
}

// Reads the history and tells it piece by piece; runs on the pool, owns its reader.
class HistorySource {
 public:
  HistorySource(std::unique_ptr<LedgerReader> reader, std::shared_ptr<const Catalogue> catalogue,
                Interval period, Instant now)
      : reader_(std::move(reader)), catalogue_(std::move(catalogue)), period_(period), now_(now) {}

  bool Next(std::string* out) {
    if (reader_ != nullptr) {
      auto read = History::Read(*reader_, catalogue_.get(), period_, now_);
      reader_.reset();
      // An answer under way cannot become an error any more; a line that is no JSON cannot be taken
      // for the end.
      if (!read.ok()) {
        *out += "error: " + std::string(read.status().message()) + "\n";
        return true;
      }
      history_ = *std::move(read);
    }
    return history_ && history_->Next(out);
  }

 private:
  std::unique_ptr<LedgerReader> reader_;
  std::shared_ptr<const Catalogue> catalogue_;
  Interval period_;
  Instant now_;
  std::optional<History> history_;
};

void ExportHistory(const Account& account, const HttpRequest& request, const HttpDone& done) {
  const auto from = ParseInstant(Query(request, "from"));
  const auto to = ParseInstant(Query(request, "to"));
  if (!from || !to || *from > *to) {
    return done(
        TextAnswer(400, "from and to: instants such as 2026-07-01T00:00:00Z, from before to\n"));
  }
  std::string yaml = request.body;
  if (yaml.empty()) {
    const CatalogueVersion* version = account.agreements.InForce(*to - Millis(1));
    if (version != nullptr) yaml = version->yaml;
  }
  std::shared_ptr<const Catalogue> catalogue;
  if (!yaml.empty()) {
    Faults faults("catalogue");
    auto read = ReadCatalogue(yaml, faults);
    if (!read) return done(TextAnswer(400, absl::StrJoin(faults.lines(), "\n") + "\n"));
    catalogue = std::make_shared<const Catalogue>(*std::move(read));
  }
  // What memory knows of open runs first becomes durable, so that the export has it.
  account.hub.Flush([&account, period = Interval{*from, *to}, catalogue,
                     done](const absl::Status& status) {
    if (!status.ok()) return done(ErrorAnswer(status));
    auto reader = account.ledger.OpenReader();
    if (!reader.ok()) return done(ErrorAnswer(reader.status()));
    auto source =
        std::make_shared<HistorySource>(*std::move(reader), catalogue, period, account.clock.Now());
    HttpResponse response;
    response.content_type = "application/jsonl";
    response.chunks = [source](std::string* out) { return source->Next(out); };
    done(std::move(response));
  });
}

void ExportTickets(const Account& account, const HttpRequest& request, const HttpDone& done) {
  const auto to = ParseInstant(Query(request, "to"));
  if (!to) return done(TextAnswer(400, "to: an instant such as 2026-10-01T00:00:00Z\n"));
  // A hundred thousand tickets are fifty megabytes.
  done(LinesAnswer(account.ledger, [to = *to](LedgerReader& reader, std::string* out) {
    return reader.ForEachTicket(to, [out](const Ticket& ticket) { *out += TicketJson(ticket); });
  }));
}

}  // namespace

void AddAccountPages(Api& api, Acts& acts, const Agreements& agreements, Hub& hub,
                     const Ledger& ledger, const Clock& clock) {
  const auto account = std::make_shared<Account>(Account{acts, agreements, hub, ledger, clock});
  const auto add = [&](const char* method, const char* path, auto handle) {
    api.Route(method, path, Access::kAdmin,
              [account, handle](const HttpRequest& request, const HttpDone& done) {
                handle(*account, request, done);
              });
  };
  add("GET", "/api/v1/catalogue", ShowCatalogue);
  add("POST", "/api/v1/catalogue", ApplyCatalogue);
  add("GET", "/api/v1/catalogue/history",
      [](const Account& its, const HttpRequest&, const HttpDone& done) {
        done(JsonAnswer(VersionsAsJson(its.agreements)));
      });
  add("GET", "/api/v1/decisions", [](const Account& its, const HttpRequest&, const HttpDone& done) {
    done(JsonAnswer(DecisionsAsJson(its.agreements, its.clock.Now())));
  });
  add("POST", "/api/v1/decisions", RecordDecision);
  add("GET", "/api/v1/export/history", ExportHistory);
  add("POST", "/api/v1/export/history", ExportHistory);
  add("GET", "/api/v1/export/tickets", ExportTickets);
}

}  // namespace oppetid::collector
