#include "collector/cli/source.h"

#include <sys/stat.h>

#include "absl/strings/str_join.h"
#include "collector/account/catalogues.h"
#include "collector/account/decisions_json.h"
#include "collector/account/history.h"
#include "collector/account/when.h"
#include "collector/ledger/sqlite.h"
#include "collector/report/catalogue_reader.h"
#include "collector/tickets/ticket_json.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

absl::StatusOr<Catalogue> Parse(const std::string& yaml) {
  Faults faults("catalogue");
  auto catalogue = ReadCatalogue(yaml, faults);
  if (catalogue) return *std::move(catalogue);
  return absl::InvalidArgumentError(absl::StrJoin(faults.lines(), "\n"));
}

// An answer that broke off ends with a line that is no JSON.
absl::StatusOr<std::string> Whole(absl::StatusOr<std::string> body) {
  if (!body.ok()) return body;
  const size_t failed = body->rfind("error: ");
  if (failed != std::string::npos && (failed == 0 || (*body)[failed - 1] == '\n')) {
    return absl::DataLossError(body->substr(failed, body->find('\n', failed) - failed));
  }
  return body;
}

class CollectorSource : public Source {
 public:
  explicit CollectorSource(CollectorAddress address) : address_(std::move(address)) {}

  absl::StatusOr<std::string> CatalogueOf(const std::string& period,
                                          AsKnownAt as_known_at) override {
    std::string target = "/api/v1/catalogue?period=" + UrlEncode(period);
    if (as_known_at) target += "&as_known_at=" + UrlEncode(FormatInstant(*as_known_at));
    return Catalogue(target);
  }
  absl::StatusOr<std::string> CatalogueAt(Instant at) override {
    return Catalogue("/api/v1/catalogue?at=" + UrlEncode(FormatInstant(at)));
  }
  absl::StatusOr<std::string> Versions() override {
    return Fetch(address_, "GET", "/api/v1/catalogue/history");
  }
  absl::StatusOr<std::string> Decisions() override {
    return Fetch(address_, "GET", "/api/v1/decisions");
  }
  absl::StatusOr<std::string> History(Interval period, const std::string& catalogue) override {
    auto body = Fetch(address_, "POST",
                      "/api/v1/export/history?from=" + UrlEncode(FormatInstant(period.from)) +
                          "&to=" + UrlEncode(FormatInstant(period.to)),
                      catalogue);
    if (!body.ok()) return body;
    return Whole(std::move(body));
  }
  absl::StatusOr<std::string> Tickets(Instant before) override {
    return Whole(
        Fetch(address_, "GET", "/api/v1/export/tickets?to=" + UrlEncode(FormatInstant(before))));
  }

 private:
  absl::StatusOr<std::string> Catalogue(const std::string& target) {
    auto reply = Call(address_, "GET", target);
    if (!reply.ok()) return reply.status();
    if (reply->status / 100 == 2) return std::move(reply->body);
    const std::string words = reply->body.substr(0, reply->body.find('\n'));
    if (reply->status == 404) return absl::NotFoundError(words);
    return reply->status == 400 ? absl::InvalidArgumentError(words)
                                : absl::FailedPreconditionError(words);
  }

  CollectorAddress address_;
};

class LedgerSource : public Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Open(const std::string& path) {
    auto reader = OpenSqliteReader(path);
    if (!reader.ok()) return reader.status();
    auto source = std::make_unique<LedgerSource>();
    source->reader_ = *std::move(reader);
    if (auto status = source->reader_->Freeze(); !status.ok()) return status;
    if (auto status = TellAll(*source->reader_, source->agreements_); !status.ok()) return status;
    return source;
  }

  absl::StatusOr<std::string> CatalogueOf(const std::string& period,
                                          AsKnownAt as_known_at) override {
    const auto version = CatalogueOfPeriod(agreements_, period, as_known_at);
    if (!version.ok()) return version.status();
    return (*version)->yaml;
  }
  absl::StatusOr<std::string> CatalogueAt(Instant at) override {
    const CatalogueVersion* version = agreements_.InForce(at);
    if (version != nullptr) return version->yaml;
    return absl::NotFoundError("no catalogue was in force at " + FormatInstant(at));
  }
  absl::StatusOr<std::string> Versions() override { return VersionsAsJson(agreements_); }
  absl::StatusOr<std::string> Decisions() override {
    return DecisionsAsJson(agreements_, SystemClock().Now());
  }
  absl::StatusOr<std::string> History(Interval period, const std::string& yaml) override {
    std::optional<Catalogue> catalogue;
    const CatalogueVersion* in_force = agreements_.InForce(period.to - Millis(1));
    if (!yaml.empty() || in_force != nullptr) {
      auto read = Parse(yaml.empty() ? in_force->yaml : yaml);
      if (!read.ok()) return read.status();
      catalogue = *std::move(read);
    }
    auto history = collector::History::Read(*reader_, catalogue ? &*catalogue : nullptr, period,
                                            SystemClock().Now());
    if (!history.ok()) return history.status();
    std::string text, piece;
    while (history->Next(&piece)) {
      text += piece;
      piece.clear();
    }
    return text;
  }
  absl::StatusOr<std::string> Tickets(Instant before) override {
    std::string text;
    const absl::Status status =
        reader_->ForEachTicket(before, [&](const Ticket& ticket) { text += TicketJson(ticket); });
    if (!status.ok()) return status;
    return text;
  }

 private:
  std::unique_ptr<LedgerReader> reader_;
  Agreements agreements_;
};

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

void AddSourceOptions(CLI::App& command, SourceOptions& options) {
  AddAddressOptions(command, options.address);
  command.add_option("--ledger", options.ledger,
                     "A ledger's file (ledger.sqlite), read without a running collector");
}

absl::StatusOr<std::unique_ptr<Source>> OpenSource(const SourceOptions& options) {
  if (!options.ledger.empty()) return LedgerSource::Open(options.ledger);
  const std::string& state = options.address.state;
  if (!state.empty() && !Call(options.address, "GET", "/healthz").ok()) {
    for (const char* file : {"/collector/ledger.sqlite", "/ledger.sqlite"}) {
      if (Exists(state + file)) return LedgerSource::Open(state + file);
    }
  }
  return std::make_unique<CollectorSource>(options.address);
}

absl::StatusOr<Instant> WhenOf(Source& source, const std::string& text) {
  if (const auto instant = ParseInstant(text)) return *instant;
  const auto yaml = source.CatalogueAt(SystemClock().Now());
  if (!yaml.ok()) return yaml.status();
  const auto catalogue = Parse(*yaml);
  if (!catalogue.ok()) return catalogue.status();
  return ParseWhen(text, catalogue->zone);
}

absl::StatusOr<AsKnownAt> ReadAsKnownAt(const std::string& text) {
  if (text.empty()) return AsKnownAt();
  const auto instant = ParseInstant(text);
  if (instant) return AsKnownAt(*instant);
  return absl::InvalidArgumentError(
      "--as-known-at: `" + OneLine(text, 60) +
      "` is not an instant; allowed: RFC 3339 as in 2026-10-05T08:00:00Z");
}

absl::StatusOr<PeriodTexts> TextsOf(Source& source, const std::string& period,
                                    AsKnownAt as_known_at, const std::string& catalogue_file) {
  PeriodTexts out;
  auto yaml =
      catalogue_file.empty() ? source.CatalogueOf(period, as_known_at) : ReadFile(catalogue_file);
  if (!yaml.ok()) {
    // A file that is not there was named wrongly.
    return catalogue_file.empty() ? yaml.status()
                                  : absl::InvalidArgumentError(yaml.status().message());
  }
  Faults faults(catalogue_file.empty() ? "catalogue" : catalogue_file);
  const auto catalogue = ReadCatalogue(*yaml, faults);
  if (!catalogue) return absl::InvalidArgumentError(absl::StrJoin(faults.lines(), "\n"));
  const auto bounds = ParsePeriod(period, catalogue->zone);
  if (!bounds) {
    return absl::InvalidArgumentError("--period: `" + OneLine(period, 60) +
                                      "` is not a period; allowed: 2026-Q3, 2026-07, 2026 or "
                                      "2026-07-01..2026-08-01 (the last day does not count)");
  }
  out.period = *bounds;
  out.as_known_at = as_known_at;
  const Instant now = SystemClock().Now();
  if (!as_known_at && now < bounds->to) out.as_known_at = now;
  auto history = source.History({bounds->from, bounds->to}, *yaml);
  if (!history.ok()) return history.status();
  out.texts.catalogue = *std::move(yaml);
  out.texts.history = *std::move(history);
  return out;
}

}  // namespace oppetid::collector
