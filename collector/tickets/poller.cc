#include "collector/tickets/poller.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"
#include "collector/tickets/words.h"
#include "common/log.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// What is listed for people; the counters have the rest.
constexpr size_t kMaxListed = 100;
// Tickets remembered as counted, so that reading one again does not count it again.
constexpr size_t kMaxCounted = 100'000;
// A source is stale when it has missed three turns, and not before half an hour.
constexpr Millis kStaleAfter{1'800'000};
// Open tickets that are asked for in a night.
constexpr size_t kMaxOpen = 50'000;

constexpr char kLeftOut[] = " with words left out";

constexpr const char* kMappedFields[] = {"kind", "municipality", "priority", "service", "status"};

std::string UnixSeconds(Instant at) { return absl::StrCat(ToUnixMillis(at) / 1000); }

}  // namespace

struct TicketPoller::Source {
  TicketSourceConfig config;
  std::unique_ptr<TicketSource> source;
  SourceSync sync;
  bool finding_open = false;
  std::string error;                        // why it could not be asked last; empty when it could
  std::map<std::string, int64_t> unmapped;  // by what
  std::map<std::pair<std::string, std::string>, int64_t> missing;  // by what and word
  int64_t rejected = 0;
  std::deque<TicketReject> rejects;  // the newest
  std::set<std::string> counted;

  // Whether this has not been counted yet.
  bool New(const std::string& what) {
    if (counted.size() >= kMaxCounted) counted.clear();
    return counted.insert(what).second;
  }
  void Reject(TicketReject reject) {
    ++rejected;
    rejects.push_back(std::move(reject));
    if (rejects.size() > kMaxListed) rejects.pop_front();
  }
  void Miss(const std::string& id, const Unmapped& its) {
    if (!New(its.what + "\n" + its.word + "\n" + id)) return;
    ++unmapped[its.what];
    const auto key = std::pair(its.what, its.word);
    if (missing.size() < kMaxListed || missing.contains(key)) ++missing[key];
  }
};

TicketPoller::TicketPoller(Hub& hub, const Ledger& ledger, const Clock& clock, BlockingPool& pool,
                           boost::asio::any_io_executor executor)
    : hub_(hub), ledger_(ledger), clock_(clock), pool_(pool), executor_(std::move(executor)) {}

TicketPoller::~TicketPoller() = default;

absl::Status TicketPoller::Start(std::vector<TicketSourceConfig> configs, LedgerReader& reader) {
  const auto cursors = reader.SourceCursors();
  if (!cursors.ok()) return cursors.status();
  for (TicketSourceConfig& config : configs) {
    auto made = config.make(pool_);
    if (!made.ok()) return made.status();
    SourceSync sync({config.name, config.fingerprint, config.every, config.since}, *cursors);
    sources_.push_back(std::make_shared<Source>(Source{
        std::move(config), *std::move(made), std::move(sync), false, "", {}, {}, 0, {}, {}}));
  }
  return absl::OkStatus();
}

void TicketPoller::Tick() {
  const Instant now = clock_.Now();
  for (const auto& source : sources_) {
    if (source->finding_open) continue;
    if (source->source->KnowsIds() && source->sync.WantsOpenTickets(now)) {
      FindOpenTickets(source);
    } else if (auto question = source->sync.Next(now, clock_.SteadyNow())) {
      Spawn(executor_, Ask(source, *std::move(question)), "ticket source");
    }
  }
}

void TicketPoller::FindOpenTickets(const std::shared_ptr<Source>& source) {
  source->finding_open = true;
  auto ids = std::make_shared<std::vector<std::string>>();
  pool_.Post([this, source, ids, now = clock_.Now()] {
    auto reader = ledger_.OpenReader();
    const std::string prefix = source->config.name + "-";
    absl::Status status = reader.status();
    if (status.ok()) {
      status = (*reader)->ForEachTicket(now, [&](const Ticket& ticket) {
        const bool removed = std::any_of(ticket.events.begin(), ticket.events.end(),
                                         [](const TicketEvent& its) { return its.removed; });
        if (ticket.source != source->config.name || !ticket.id.starts_with(prefix) || removed ||
            IsResolvedStatus(ticket.events.back().status) || ids->size() >= kMaxOpen) {
          return;
        }
        ids->push_back(ticket.id.substr(prefix.size()));
      });
    }
    boost::asio::post(executor_, [source, ids, status] {
      source->finding_open = false;
      if (!status.ok()) {
        LogWarning("cannot find open tickets", {{"error", std::string(status.message())}});
      }
      source->sync.SetOpenTickets(std::move(*ids));
    });
  });
}

boost::asio::awaitable<void> TicketPoller::Ask(std::shared_ptr<Source> source,
                                               TicketQuestion question) {
  auto page = co_await source->source->Read(std::move(question));
  if (page.ok()) {
    Take(source, *std::move(page));
  } else {
    Fail(*source, page.status());
  }
}

void TicketPoller::Fail(Source& source, const absl::Status& status) {
  std::string words = OneLine(std::string(status.message()));
  if (source.error != words) {
    LogWarning("a source of tickets cannot be read",
               {{"source", source.config.name}, {"error", words}});
  }
  source.error = std::move(words);
  source.sync.Failed(clock_.SteadyNow());
}

void TicketPoller::Take(const std::shared_ptr<Source>& source, TicketPage page) {
  auto cursor = source->sync.OnAnswer({page.changed, page.token, page.more});
  if (!cursor) {
    return Fail(*source, absl::UnavailableError("it says there is more, and gets no further"));
  }
  auto batch = std::make_shared<Batch>();
  batch->cursors.push_back(*std::move(cursor));
  for (TicketReject& reject : page.rejected) source->Reject(std::move(reject));
  const Instant now = clock_.Now();
  for (const RawTicket& raw : page.tickets) {
    MappedTicket mapped = MapTicket(source->config.name, raw, source->config.mapping, now);
    for (const Unmapped& its : mapped.unmapped) source->Miss(raw.id, its);
    if (!mapped.reason.empty() && source->New(raw.id + "\n" + mapped.reason)) {
      source->Reject({page.place, raw.line, mapped.reason});
    }
    if (mapped.ticket) batch->tickets.push_back(*std::move(mapped.ticket));
  }
  // What was left out is counted anew after a restart: to a fingerprint that is never equal, the
  // source is read from its beginning.
  if (!source->unmapped.empty()) batch->cursors[0].mapping += kLeftOut;
  for (const GoneTicket& gone : page.gone) {
    TicketWrite write;
    write.source = source->config.name;
    write.id = source->config.name + "-" + gone.id;
    write.only_if_known = true;
    TicketEventWrite& event = write.events.emplace_back();
    event.event.at = gone.at;
    event.event.status = "closed";
    event.event.removed = true;
    event.key = "gone";
    batch->tickets.push_back(std::move(write));
  }
  hub_.Store(batch, [this, source, tickets = batch->tickets.size()](const absl::Status& status) {
    if (!status.ok()) return Fail(*source, status);
    if (!source->error.empty()) {
      LogInfo("a source of tickets can be read again", {{"source", source->config.name}});
    }
    source->error.clear();
    source->sync.Stored(true, clock_.SteadyNow());
    stored_ += tickets;
  });
}

std::vector<std::string> TicketPoller::names() const {
  std::vector<std::string> names;
  for (const auto& source : sources_) names.push_back(source->config.name);
  return names;
}

std::set<std::string> TicketPoller::Stale() const {
  std::set<std::string> stale;
  for (const auto& source : sources_) {
    const Millis allowed = std::max(kStaleAfter, source->config.every * 3);
    if (clock_.Now() - source->sync.cursor().succeeded > allowed) stale.insert(source->config.name);
  }
  return stale;
}

std::string TicketPoller::Metrics() const {
  std::string out;
  const auto family = [&](const char* name, const char* type, const char* help, const auto& print) {
    if (sources_.empty()) return;
    absl::StrAppend(&out, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
    for (const auto& source : sources_) {
      print(*source, absl::StrCat(name, "{source=\"", source->config.name, "\""));
    }
  };
  family("helpdesk_rejected_total", "counter",
         "Tickets and rows that could not be taken since the collector's start.",
         [&](const Source& its, const std::string& prefix) {
           absl::StrAppend(&out, prefix, "} ", its.rejected, "\n");
         });
  family("helpdesk_source_lag_seconds", "gauge",
         "Time since the instant up to which the source has been read.",
         [&](const Source& its, const std::string& prefix) {
           const Millis lag = std::max(Millis(0), clock_.Now() - its.sync.read_until());
           absl::StrAppend(&out, prefix, "} ", lag / std::chrono::seconds(1), "\n");
         });
  family("helpdesk_source_last_success_timestamp_seconds", "gauge",
         "When the source was read to its end last, seconds since 1970; 0 if never.",
         [&](const Source& its, const std::string& prefix) {
           absl::StrAppend(&out, prefix, "} ", UnixSeconds(its.sync.cursor().succeeded), "\n");
         });
  family("helpdesk_source_up", "gauge", "1 while the source answers what it is asked.",
         [&](const Source& its, const std::string& prefix) {
           if (its.sync.up()) absl::StrAppend(&out, prefix, "} ", *its.sync.up() ? 1 : 0, "\n");
         });
  family("helpdesk_unmapped_total", "counter",
         "Tickets with a word that has no meaning configured, since the collector's start.",
         [&](const Source& its, const std::string& prefix) {
           for (const char* what : kMappedFields) {
             const auto found = its.unmapped.find(what);
             absl::StrAppend(&out, prefix, ",what=\"", what, "\"} ",
                             found == its.unmapped.end() ? 0 : found->second, "\n");
           }
         });
  return out;
}

std::string TicketPoller::Json() const {
  std::string out = "{\"sources\":[";
  for (const auto& source : sources_) {
    const Source& its = *source;
    const auto instant = [](Instant at) {
      return at == Instant() ? std::string("null") : "\"" + FormatInstant(at) + "\"";
    };
    const auto up = its.sync.up();
    absl::StrAppend(&out, source == sources_.front() ? "" : ",",
                    "{\"source\":", JsonQuote(its.config.name),
                    ",\"type\":", JsonQuote(its.config.type), ",\"up\":",
                    !up   ? "null"
                    : *up ? "true"
                          : "false",
                    ",\"error\":", its.error.empty() ? "null" : JsonQuote(its.error),
                    ",\"last_success\":", instant(its.sync.cursor().succeeded),
                    ",\"read_until\":", instant(its.sync.read_until()),
                    ",\"rejected\":", its.rejected, ",\"rejects\":[");
    for (size_t i = 0; i < its.rejects.size(); ++i) {
      const TicketReject& reject = its.rejects[i];
      absl::StrAppend(&out, i == 0 ? "" : ",", "{\"file\":", JsonQuote(reject.place),
                      ",\"line\":", reject.line, ",\"reason\":", JsonQuote(reject.reason), "}");
    }
    out += "],\"unmapped\":[";
    bool first = true;
    for (const auto& [key, count] : its.missing) {
      absl::StrAppend(&out, first ? "" : ",", "{\"what\":", JsonQuote(key.first),
                      ",\"word\":", JsonQuote(key.second), ",\"tickets\":", count, "}");
      first = false;
    }
    out += "]}";
  }
  return out + "]}\n";
}

}  // namespace oppetid::collector
