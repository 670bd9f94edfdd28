// http: does a web server answer as expected? Critical when it refuses, its certificate is not
// trusted, the status or the body is another; unknown when the name does not resolve, or a file
// this check needs cannot be read.
//
// Redirects are followed only to where the configuration points: the URL's own origin, the same
// host's https on its own port, and the origins in `redirect_to`. A web server shall not choose
// what an agent inside the walls connects to. Configured headers go to the URL's own origin only.
#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <optional>

#include "absl/status/statusor.h"
#include "agent/sensors/http_exchange.h"
#include "agent/sensors/registry.h"
#include "common/async.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxBody = 1'000'000;       // what is read, and searched, of a response
constexpr int64_t kMaxRedirects = 20;        // what browsers follow
constexpr size_t kMaxHeaders = 30;           // of our own in a request
constexpr int64_t kPatternMemory = 1 << 20;  // of one compiled pattern; ten times what words need

struct StatusRange {
  unsigned first = 200;
  unsigned last = 399;
};

struct HeaderFile {
  std::string name;
  std::string path;
};

struct HttpConfig {
  Url url;
  bool head = false;
  std::vector<StatusRange> status;  // empty: 200 to 399
  std::unique_ptr<re2::RE2> body;
  Headers headers;
  std::vector<HeaderFile> header_files;
  int64_t redirects = 5;
  std::vector<Url> redirect_to;
  std::string ca;
  std::string server_name;
  bool verify = true;
};

using Read = absl::StatusOr<Headers>;

// The headers that stand in files, each file's content without the line's end.
Read ReadHeaderFiles(const std::vector<HeaderFile>& files) {
  Headers headers;
  for (const HeaderFile& file : files) {
    auto content = ReadSecretFile(file.path);
    if (!content.ok()) return content.status();
    while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
    if (content->empty() || !IsHeaderValue(*content)) {
      return absl::InvalidArgumentError("use " + file.path + ": expected one line of text");
    }
    headers.emplace_back(file.name, std::move(*content));
  }
  return headers;
}

bool IsRedirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class HttpSensor : public Sensor {
 public:
  HttpSensor(HttpConfig config, World& world)
      : config_(std::move(config)), world_(world), tls_(config_.ca, world) {}

  boost::asio::awaitable<Answer> Ask() override {
    HttpRequest request;
    request.url = config_.url;
    request.head = config_.head;
    request.headers = config_.headers;
    request.verify = config_.verify;
    request.server_name = config_.server_name;
    request.max_body = kMaxBody;
    request.keep_body = config_.body != nullptr;
    const std::string unread = co_await ReadSecrets(request.headers);
    if (!unread.empty()) {
      Answer answer;
      answer.text = unread;
      co_return answer;
    }
    co_return co_await Follow(std::move(request));
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  // What all responses of one asking gave together.
  struct Seen {
    std::map<std::string, Steady::duration> phases;
    std::optional<Instant> expiry;
    Steady::duration total{};

    void Add(const HttpResponse& response) {
      for (const HttpPhase& phase : response.phases) {
        phases[phase.name] += phase.took;
        total += phase.took;
      }
      if (response.chain)
        expiry = std::min(expiry.value_or(Instant::max()), response.chain->expiry);
    }
  };

  // The request, and those it is redirected to.
  boost::asio::awaitable<Answer> Follow(HttpRequest request) {
    Seen seen;
    for (int64_t followed = 0;; ++followed) {
      // Only now, so that a check that never speaks TLS never pays for it.
      if (request.url.tls) {
        const std::string unprepared = co_await tls_.Prepare();
        if (!unprepared.empty()) {
          Answer answer;
          answer.text = unprepared;
          co_return answer;
        }
      }
      const HttpResponse response = co_await ExchangeHttp(world_, tls_, request);
      seen.Add(response);
      if (!Follows(response)) co_return Judge(response, seen);
      const auto next = ResolveUrl(request.url, response.location);
      std::string refused;
      if (followed == config_.redirects) {
        refused = "redirected more than " + std::to_string(config_.redirects) + " times";
      } else if (!next) {
        refused = "redirected to what is no URL of a web server";
      } else if (!MayGo(*next)) {
        refused = "redirected to a place that is not in `redirect_to`";
      }
      if (!refused.empty()) co_return Tell(response, refused, seen);
      request.url = *next;
      const bool own = request.url.SameOrigin(config_.url);
      if (!own) request.headers.clear();
      request.server_name = request.url.host == config_.url.host ? config_.server_name : "";
    }
  }

  // Adds the headers that stand in files. The error, or empty.
  boost::asio::awaitable<std::string> ReadSecrets(Headers& headers) {
    if (config_.header_files.empty()) co_return "";
    std::function<Read()> work = [files = config_.header_files] { return ReadHeaderFiles(files); };
    Read read = co_await OnPool<Read>(world_.pool, std::move(work));
    if (!read.ok()) co_return OneLine("cannot " + std::string(read.status().message()));
    headers.insert(headers.end(), read->begin(), read->end());
    co_return "";
  }

  bool Accepts(unsigned status) const {
    if (config_.status.empty()) return status >= 200 && status <= 399;
    return std::any_of(
        config_.status.begin(), config_.status.end(),
        [status](const StatusRange& r) { return status >= r.first && status <= r.last; });
  }

  // A redirect that `status` names is what was asked for, and not followed.
  bool Follows(const HttpResponse& response) const {
    if (!response.error.empty() || !IsRedirect(response.status)) return false;
    if (config_.redirects == 0 || response.location.empty()) return false;
    return config_.status.empty() || !Accepts(response.status);
  }

  bool MayGo(const Url& next) const {
    if (next.SameOrigin(config_.url)) return true;
    if (next.host == config_.url.host && next.tls && next.port == 443) return true;
    return std::any_of(config_.redirect_to.begin(), config_.redirect_to.end(),
                       [&next](const Url& allowed) { return next.SameOrigin(allowed); });
  }

  // Critical, unless the question was not put; with all that was measured.
  static Answer Tell(const HttpResponse& response, const std::string& why, const Seen& seen) {
    Answer answer;
    answer.state = response.could_not_ask ? State::kUnknown : State::kCritical;
    answer.text = why;
    for (const auto& [phase, took] : seen.phases) {
      answer.samples.push_back({"probe_duration_seconds", {{"phase", phase}}, Seconds(took)});
    }
    if (response.status != 0) {
      answer.samples.push_back({"http_status_code", {}, static_cast<double>(response.status)});
    }
    if (seen.expiry) {
      answer.samples.push_back({"certificate_expiry_timestamp_seconds",
                                {},
                                static_cast<double>(ToUnixMillis(*seen.expiry)) / 1000});
    }
    return answer;
  }

  Answer Judge(const HttpResponse& response, const Seen& seen) const {
    if (!response.error.empty()) return Tell(response, response.error, seen);
    const std::string status = "HTTP " + std::to_string(response.status);
    if (!Accepts(response.status)) return Tell(response, status + ", not as expected", seen);
    if (config_.body != nullptr && !re2::RE2::PartialMatch(response.body, *config_.body)) {
      return Tell(response, status + ", but the body does not match", seen);
    }
    Answer answer = Tell(response, status + " in " + FormatMs(seen.total), seen);
    answer.state = State::kOk;
    return answer;
  }

  HttpConfig config_;
  World& world_;
  TlsClient tls_;
};

// "200", "2xx" or "200-299".
std::optional<StatusRange> ParseStatus(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<unsigned> {
    if (digits.size() != 3 || digits.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
    const auto value =
        static_cast<unsigned>((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
    return value >= 100 && value <= 599 ? std::optional(value) : std::nullopt;
  };
  StatusRange range;
  if (text.size() == 3 && text.ends_with("xx")) {
    const auto first = number(std::string(1, text[0]) + "00");
    if (!first) return std::nullopt;
    return StatusRange{*first, *first + 99};
  }
  const size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return StatusRange{*first, *last};
}

std::string Lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

// One header of the configuration: `name: value`, or `name: {file: /path}` for a secret. Faults
// never repeat a value.
void ReadHeader(const std::string& name, const Yaml& value, YamlMap& config, HttpConfig& http) {
  const std::string lower = Lowered(name);
  Faults& faults = config.faults();
  if (!IsHeaderName(name)) {
    faults.Add(value.at, "`headers`: `" + OneLine(name, 60) + "` is no name of a header");
    return;
  }
  if (lower == "connection" || lower == "content-length" || lower == "transfer-encoding") {
    faults.Add(value.at, "`headers`: `" + name + "` is set by the check itself");
    return;
  }
  if (value.kind == Yaml::Kind::kMap) {
    YamlMap map(value, faults);
    const std::string path = map.RequiredString("file");
    if (!path.empty() && !path.starts_with('/')) map.Fault("file", "expected an absolute path");
    map.Finish();
    http.header_files.push_back({name, path});
    return;
  }
  if (lower == "authorization" || lower == "proxy-authorization" || lower == "cookie") {
    faults.Add(value.at, "`headers`: `" + name +
                             "` holds a secret; write {file: /path} with the value in that file");
    return;
  }
  if (value.kind != Yaml::Kind::kScalar || !IsHeaderValue(value.scalar)) {
    faults.Add(value.at, "`headers`: expected one line of text, or {file: /path}");
    return;
  }
  http.headers.emplace_back(name, value.scalar);
}

void ReadHeaders(YamlMap& config, HttpConfig& http) {
  const Yaml* headers = config.Raw("headers");
  if (headers == nullptr) return;
  if (headers->kind != Yaml::Kind::kMap || headers->map.size() > kMaxHeaders) {
    config.Fault("headers", "`headers`: expected a mapping of at most 30 names to values");
    return;
  }
  for (const auto& [name, value] : headers->map) ReadHeader(name, value, config, http);
}

void ReadBody(YamlMap& config, HttpConfig& http) {
  const auto pattern = config.String("body");
  if (!pattern) return;
  if (http.head) config.Fault("body", "`body`: a response to HEAD has none");
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  http.body = std::make_unique<re2::RE2>(*pattern, options);
  if (!http.body->ok()) {
    config.Fault("body", "`body`: not a regular expression (RE2): " + OneLine(http.body->error()));
  }
}

std::optional<Url> ReadUrl(YamlMap& config, std::string_view key, const std::string& text) {
  auto url = ParseUrl(text);
  if (!url) {
    // Not repeated: there may be a password in it.
    config.Fault(key, "`" + std::string(key) +
                          "`: expected http://host/ or https://host:port/path, without user and "
                          "password");
  }
  return url;
}

}  // namespace

std::unique_ptr<Sensor> MakeHttpSensor(YamlMap& config, World& world) {
  HttpConfig http;
  const std::string url = config.RequiredString("url");
  if (!url.empty()) http.url = ReadUrl(config, "url", url).value_or(Url{});
  http.head = config.OneOf("method", {"GET", "HEAD"}, "GET") == "HEAD";
  for (const std::string& text : config.Strings("status")) {
    const auto range = ParseStatus(text);
    if (!range) config.Fault("status", "`status`: expected codes such as 200, 2xx or 200-299");
    http.status.push_back(range.value_or(StatusRange{}));
  }
  ReadBody(config, http);
  ReadHeaders(config, http);
  http.redirects = config.Int("redirects", 0, kMaxRedirects, http.redirects);
  for (const std::string& text : config.Strings("redirect_to")) {
    if (auto to = ReadUrl(config, "redirect_to", text)) http.redirect_to.push_back(std::move(*to));
  }
  http.ca = config.String("ca", "");
  http.server_name = config.String("server_name", "");
  http.verify = config.Bool("verify", true);
  return std::make_unique<HttpSensor>(std::move(http), world);
}

}  // namespace oppetid::agent
