#include "collector/api.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "collector/exposition.h"
#include "collector/status_json.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// Prometheus' text exposition format.
constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse Text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

std::string Query(const HttpRequest& request, const std::string& key) {
  const auto found = request.query.find(key);
  return found == request.query.end() ? "" : found->second;
}

// Streams the spans of a range; runs on the pool, owns its reader.
class SpanSource {
 public:
  SpanSource(std::unique_ptr<LedgerReader> reader, Instant from, Instant to)
      : reader_(std::move(reader)), from_(from), to_(to) {}

  // All at once: a quarter is tens of megabytes at most, and the read is one committed state.
  bool Next(std::string* out) {
    if (done_) return false;
    done_ = true;
    const auto status = reader_->ForEachSpan(from_, to_, [&](const Span& s) { *out += SpanJson(s); });
    // An answer under way cannot become an error any more; a line that is no JSON cannot be taken
    // for the end.
    if (!status.ok()) *out += "error: " + std::string(status.message()) + "\n";
    return !out->empty();
  }

 private:
  std::unique_ptr<LedgerReader> reader_;
  Instant from_, to_;
  bool done_ = false;
};

}  // namespace

Api::Api(Hub& hub, Ledger& ledger, Counters& counters, const Clock& clock, bool anonymous)
    : hub_(hub), ledger_(ledger), counters_(counters), clock_(clock), anonymous_(anonymous) {}

absl::Status Api::Ready() const {
  if (!hub_.writable().ok()) return hub_.writable();
  if (clock_.Now() < ledger_.newest_record()) {
    return absl::UnavailableError(
        absl::StrCat("this machine's clock is before the ledger's newest record (",
                     FormatInstant(ledger_.newest_record()), "); set it right"));
  }
  return absl::OkStatus();
}

bool Api::MayRead(const HttpRequest& request) const {
  return request.admin || (anonymous_ && request.loopback);
}

void Api::Handle(HttpRequest request, HttpDone done) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (get && request.path == "/healthz") return done(Text(200, "ok\n"));
  if (get && request.path == "/readyz") {
    const absl::Status ready = Ready();
    return done(ready.ok() ? Text(200, "ok\n")
                           : Text(503, std::string(ready.message()) + "\n"));
  }
  if (!MayRead(request)) return done(Text(401, "a token is needed\n"));
  if (get && request.path == "/metrics") return done(Metrics(request, /*carried=*/false));
  if (get && request.path == "/metrics/carried") return done(Metrics(request, /*carried=*/true));
  if (get && request.path == "/api/v1/status") {
    HttpResponse response = Text(200, StatusJson(*hub_.MakeView(), Query(request, "municipality")));
    response.content_type = "application/json";
    return done(std::move(response));
  }
  if (request.admin && get && request.path == "/api/v1/export/history") {
    return Export(request, std::move(done));
  }
  if (request.admin && request.method == "POST" && request.path == "/api/v1/check-now") {
    return done(CheckNow(request));
  }
  done(Text(404, "no such page\n"));
}

HttpResponse Api::Metrics(const HttpRequest& request, bool carried) {
  counters_.ledger_bytes.Set(static_cast<double>(ledger_.bytes()));
  const std::string municipality = Query(request, "municipality");
  const bool own = !carried && municipality.empty();
  auto renderer = std::make_shared<Renderer>(
      hub_.MakeView(), carried ? Renderer::Part::kCarried : Renderer::Part::kOwn,
      own ? counters_.Serialize() : "", municipality);
  HttpResponse response;
  response.content_type = kMetricsType;
  response.gzip = request.accepts_gzip;
  response.chunks = [renderer](std::string* out) { return renderer->Next(out); };
  return response;
}

void Api::Export(const HttpRequest& request, HttpDone done) {
  const auto from = ParseInstant(Query(request, "from"));
  const auto to = ParseInstant(Query(request, "to"));
  if (!from || !to || *from > *to) {
    return done(Text(400, "from and to: instants such as 2026-07-01T00:00:00Z, from before to\n"));
  }
  // What memory knows of open runs first becomes durable, so that the export has it.
  hub_.Flush([this, from = *from, to = *to, done](const absl::Status& status) {
    if (!status.ok()) return done(Text(503, std::string(status.message()) + "\n"));
    auto reader = ledger_.OpenReader();
    if (!reader.ok()) return done(Text(503, std::string(reader.status().message()) + "\n"));
    auto source = std::make_shared<SpanSource>(*std::move(reader), from, to);
    HttpResponse response;
    response.content_type = "application/jsonl";
    response.chunks = [source](std::string* out) { return source->Next(out); };
    done(std::move(response));
  });
}

HttpResponse Api::CheckNow(const HttpRequest& request) {
  const absl::Status status = hub_.CheckNow(Query(request, "host"), Query(request, "check"));
  if (status.ok()) return Text(202, "asked\n");
  return Text(absl::IsNotFound(status) ? 404 : 503, std::string(status.message()) + "\n");
}

}  // namespace oppetid::collector
