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

}  // namespace

Api::Api(Hub& hub, Ledger& ledger, Counters& counters, const Clock& clock, const Tokens& tokens,
         bool anonymous)
    : hub_(hub),
      ledger_(ledger),
      counters_(counters),
      clock_(clock),
      tokens_(tokens),
      anonymous_(anonymous) {
  AddOwnRoutes();
}

absl::Status Api::Ready() const {
  if (!hub_.writable().ok()) return hub_.writable();
  if (clock_.Now() < ledger_.newest_record()) {
    return absl::UnavailableError(
        absl::StrCat("this machine's clock is before the ledger's newest record (",
                     FormatInstant(ledger_.newest_record()), "); set it right"));
  }
  return absl::OkStatus();
}

std::optional<Reach> Api::ReachOf(Access access, const HttpRequest& request) const {
  if (request.admin) return Reach::All();
  if (access == Access::kAdmin) return std::nullopt;
  // Whoever shows a token is held to it, also on loopback.
  if (!request.bearer.empty()) {
    const auto grant = tokens_.Find(request.bearer);
    if (!grant || grant->push != (access == Access::kPush)) return std::nullopt;
    return grant->reach;
  }
  if (access == Access::kRead && anonymous_ && request.loopback) return Reach::All();
  return std::nullopt;
}

void Api::Route(const std::string& method, const std::string& path, Access access,
                HttpHandler handler) {
  pages_[{path, method}] = {access, std::move(handler)};
}

void Api::Handle(HttpRequest request, HttpDone done) {
  const auto found = pages_.find({request.path, request.method == "HEAD" ? "GET" : request.method});
  if (found != pages_.end() && found->second.access == Access::kOpen) {
    return found->second.handler(std::move(request), std::move(done));
  }
  const auto reach = found == pages_.end() ? std::nullopt : ReachOf(found->second.access, request);
  if (!reach) {
    // Whoever may read nothing does not learn either which pages there are; nobody but admin.sock
    // learns of its own.
    if (ReachOf(Access::kRead, request)) return done(TextAnswer(404, "no such page\n"));
    if (!request.bearer.empty() && !tokens_.Find(request.bearer)) {
      counters_.Reject("token", request.loopback ? "loopback" : "network");
    }
    return done(TextAnswer(401, "a token is needed that allows this\n"));
  }
  request.reach = *reach;
  const std::string municipality = Query(request, "municipality");
  if (!municipality.empty()) {
    // A foreign municipality and one that does not exist look the same.
    if (!reach->Covers(municipality)) {
      return done(TextAnswer(403, "this token is not for that municipality\n"));
    }
    request.reach = Reach::Of(municipality);
  }
  found->second.handler(std::move(request), std::move(done));
}

void Api::AddOwnRoutes() {
  Route("GET", "/healthz", Access::kOpen,
        [](const HttpRequest&, const HttpDone& done) { done(TextAnswer(200, "ok\n")); });
  Route("GET", "/readyz", Access::kOpen, [this](const HttpRequest&, const HttpDone& done) {
    const absl::Status ready = Ready();
    done(ready.ok() ? TextAnswer(200, "ok\n")
                    : TextAnswer(503, std::string(ready.message()) + "\n"));
  });
  Route("GET", "/metrics", Access::kRead, [this](const HttpRequest& request, const HttpDone& done) {
    done(Metrics(request, /*carried=*/false));
  });
  Route("GET", "/metrics/carried", Access::kRead,
        [this](const HttpRequest& request, const HttpDone& done) {
          done(Metrics(request, /*carried=*/true));
        });
  Route("GET", "/api/v1/status", Access::kRead,
        [this](const HttpRequest& request, const HttpDone& done) {
          done(JsonAnswer(StatusJson(*hub_.MakeView(), request.reach)));
        });
  Route("POST", "/api/v1/check-now", Access::kAdmin,
        [this](const HttpRequest& request, const HttpDone& done) { done(CheckNow(request)); });
}

HttpResponse Api::Metrics(const HttpRequest& request, bool carried) {
  counters_.ledger_bytes.Set(static_cast<double>(ledger_.bytes()));
  const auto view = hub_.MakeView();
  std::string head;
  if (!carried && request.reach.all) head = counters_.Serialize();
  if (!carried) {
    for (const Families& families : families_) head += families(*view, request.reach);
  }
  auto renderer = std::make_shared<Renderer>(
      view, carried ? Renderer::Part::kCarried : Renderer::Part::kOwn, head, request.reach);
  HttpResponse response;
  response.content_type = kMetricsType;
  response.gzip = request.accepts_gzip;
  response.chunks = [renderer](std::string* out) { return renderer->Next(out); };
  return response;
}

HttpResponse Api::CheckNow(const HttpRequest& request) {
  const absl::Status status = hub_.CheckNow(Query(request, "host"), Query(request, "check"));
  if (status.ok()) return TextAnswer(202, "asked\n");
  return TextAnswer(absl::IsNotFound(status) ? 404 : 503, std::string(status.message()) + "\n");
}

HttpResponse TextAnswer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse JsonAnswer(std::string body) {
  HttpResponse response = TextAnswer(200, std::move(body));
  response.content_type = "application/json";
  return response;
}

HttpResponse LinesAnswer(const Ledger& ledger, LineWriter write) {
  auto opened = ledger.OpenReader();
  if (!opened.ok()) return ErrorAnswer(opened.status());
  const std::shared_ptr<LedgerReader> reader = *std::move(opened);
  HttpResponse response;
  response.content_type = "application/jsonl";
  response.chunks = [reader, write = std::move(write), ended = false](std::string* out) mutable {
    if (std::exchange(ended, true)) return false;
    const absl::Status status = write(*reader, out);
    // An answer under way cannot become an error any more; a line that is no JSON cannot be taken
    // for the end.
    if (!status.ok()) *out += "error: " + std::string(status.message()) + "\n";
    return !out->empty();
  };
  return response;
}

HttpResponse ErrorAnswer(const absl::Status& status) {
  const std::string words = absl::StrCat(status.message(), "\n");
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return TextAnswer(400, words);
    case absl::StatusCode::kPermissionDenied:
      return TextAnswer(403, words);
    case absl::StatusCode::kNotFound:
      return TextAnswer(404, words);
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return TextAnswer(409, words);
    default:
      return TextAnswer(503, words);
  }
}

std::string Query(const HttpRequest& request, const std::string& key) {
  const auto found = request.query.find(key);
  return found == request.query.end() ? "" : found->second;
}

}  // namespace oppetid::collector
