// scrape: does a Prometheus exporter answer, and what are its series? They are carried to the
// collector and exposed apart from our own, untyped.
//
// Ok when it serves, critical when it does not (refused, silent, a certificate that does not
// verify, another status than 200): down is an answer, and whoever serves metrics to us serves
// them to nobody else either. Unknown when we could not look: the name does not resolve, or what
// came is no exposition text or too much of it. Warning when series had to be left out over the
// limit, because a panel with holes must be explained somewhere.
//
// Threading: the agent's thread; the text is parsed on the pool, since it may be megabytes.
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "agent/sensors/net.h"
#include "agent/sensors/registry.h"
#include "agent/sensors/series_filter.h"
#include "common/file.h"
#include "common/text.h"

namespace oppetid::agent {
namespace {

namespace http = boost::beast::http;
using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;

constexpr size_t kMaxBodyBytes = 16'000'000;  // ten times a large exporter's
constexpr int64_t kDefaultLimit = 5000;
constexpr int64_t kMaxLimit = 20'000;  // what the collector is sized for, per agent
constexpr size_t kMaxUrlBytes = 2000;

struct ScrapeTarget {
  bool tls = false;
  HostPort address;
  std::string host_header;
  std::string path;  // with the query
};

// Where an ask got to, and how long each part took.
struct Fetched {
  State state = State::kOk;  // of the transfer
  std::string text;          // why not ok
  std::string body;
  std::vector<Sample> samples;
};

void AddPhase(Fetched& fetched, const std::string& phase, Steady from, Steady to) {
  fetched.samples.push_back({"probe_duration_seconds", {{"phase", phase}}, Seconds(to - from)});
}

// Sends the request and reads the answer over a connected stream.
template <typename Stream>
boost::asio::awaitable<void> Get(Stream& stream, const ScrapeTarget& target, Fetched& fetched) {
  http::request<http::empty_body> request(http::verb::get, target.path, 11);
  request.set(http::field::host, target.host_header);
  request.set(http::field::user_agent, "oppetid-agent/" OPPETID_VERSION);
  request.set(http::field::accept, "text/plain;version=0.0.4");
  request.set(http::field::connection, "close");
  boost::system::error_code error;
  co_await http::async_write(stream, request, redirect_error(use_awaitable, error));
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBodyBytes);
  boost::beast::flat_buffer buffer;
  if (!error) {
    co_await http::async_read(stream, buffer, parser, redirect_error(use_awaitable, error));
  }
  if (error == http::error::body_limit) {
    fetched.state = State::kUnknown;
    fetched.text = "the answer is larger than 16 MB";
  } else if (error && !parser.is_done()) {
    fetched.state = State::kCritical;
    fetched.text = "no whole answer: " + error.message();
  } else if (parser.get().result_int() != 200) {
    fetched.state = State::kCritical;
    fetched.text = "HTTP status " + std::to_string(parser.get().result_int());
  } else {
    fetched.body = std::move(parser.get().body());
  }
}

class ScrapeSensor : public Sensor {
 public:
  ScrapeSensor(ScrapeTarget target, std::unique_ptr<boost::asio::ssl::context> tls,
               std::shared_ptr<const SeriesFilter> filter, World& world)
      : target_(std::move(target)),
        tls_(std::move(tls)),
        filter_(std::move(filter)),
        world_(world) {}

  boost::asio::awaitable<Answer> Ask() override {
    Fetched fetched;
    co_await Fetch(fetched);
    Answer answer;
    answer.samples = std::move(fetched.samples);
    if (fetched.state != State::kOk) {
      answer.state = fetched.state;
      answer.text = OneLine(fetched.text);
      co_return answer;
    }
    auto body = std::make_shared<const std::string>(std::move(fetched.body));
    std::function<Carried()> work = [body, filter = filter_] { return filter->Read(*body); };
    Carried carried = co_await OnPool<Carried>(world_.pool, std::move(work));
    Judge(carried, answer);
    answer.carried = std::move(carried.series);
    co_return answer;
  }

  State StateWhenLate() const override { return State::kCritical; }

 private:
  boost::asio::awaitable<void> Fetch(Fetched& fetched) {
    const Steady start = world_.clock.SteadyNow();
    Connected connected = co_await Connect(world_, target_.address);
    if (!connected.error.empty()) {
      fetched.state = connected.could_not_ask ? State::kUnknown : State::kCritical;
      fetched.text = connected.error;
      co_return;
    }
    AddPhase(fetched, "resolve", start, start + connected.resolve_time);
    AddPhase(fetched, "connect", start, start + connected.connect_time);
    Steady ready = world_.clock.SteadyNow();
    if (!target_.tls) {
      co_await Get(*connected.socket, target_, fetched);
    } else {
      boost::asio::ssl::stream<tcp::socket> stream(std::move(*connected.socket), *tls_);
      if (!co_await Handshake(stream, fetched)) co_return;
      const Steady shaken = world_.clock.SteadyNow();
      AddPhase(fetched, "tls", ready, shaken);
      ready = shaken;
      co_await Get(stream, target_, fetched);
    }
    AddPhase(fetched, "transfer", ready, world_.clock.SteadyNow());
  }

  boost::asio::awaitable<bool> Handshake(boost::asio::ssl::stream<tcp::socket>& stream,
                                         Fetched& fetched) {
    const std::string& host = target_.address.host;
    boost::system::error_code is_name;
    boost::asio::ip::make_address(host, is_name);
    if (is_name) SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
    stream.set_verify_mode(boost::asio::ssl::verify_peer);
    stream.set_verify_callback(boost::asio::ssl::host_name_verification(host));
    boost::system::error_code error;
    co_await stream.async_handshake(boost::asio::ssl::stream_base::client,
                                    redirect_error(use_awaitable, error));
    if (!error) co_return true;
    fetched.state = State::kCritical;
    fetched.text = "TLS: " + error.message();
    const long verdict = SSL_get_verify_result(stream.native_handle());
    if (verdict != X509_V_OK) {
      fetched.text = std::string("TLS: the certificate does not verify: ") +
                     X509_verify_cert_error_string(verdict);
    }
    co_return false;
  }

  void Judge(const Carried& carried, Answer& answer) const {
    if (carried.not_exposition) {
      answer.state = State::kUnknown;
      answer.text = "the answer is not in the Prometheus text format";
      return;
    }
    answer.samples.push_back({"scrape_series", {}, static_cast<double>(carried.series.size())});
    answer.samples.push_back(
        {"scrape_series_dropped", {}, static_cast<double>(carried.dropped + carried.over_limit)});
    answer.state = carried.over_limit == 0 ? State::kOk : State::kWarning;
    answer.text = std::to_string(carried.series.size()) + " series";
    if (carried.over_limit != 0) {
      answer.text += ", " + std::to_string(carried.over_limit) + " left out over the limit of " +
                     std::to_string(filter_->limit);
    }
    if (carried.dropped != 0) answer.text += ", " + std::to_string(carried.dropped) + " dropped";
  }

  ScrapeTarget target_;
  std::unique_ptr<boost::asio::ssl::context> tls_;  // unless plain http
  std::shared_ptr<const SeriesFilter> filter_;
  World& world_;
};

// nullopt unless it is an http or https URL without user, password and fragment.
std::optional<ScrapeTarget> ParseUrl(const std::string& text) {
  if (text.size() > kMaxUrlBytes) return std::nullopt;
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed) return std::nullopt;
  const boost::urls::url_view& url = *parsed;
  ScrapeTarget target;
  target.tls = url.scheme() == "https";
  if ((!target.tls && url.scheme() != "http") || url.has_userinfo() || url.has_fragment()) {
    return std::nullopt;
  }
  target.address.host = url.host_address();
  target.address.port = url.has_port() ? url.port_number() : (target.tls ? 443 : 80);
  if (target.address.host.empty() || target.address.host.size() > 253 || target.address.port == 0) {
    return std::nullopt;
  }
  target.host_header = std::string(url.encoded_host_and_port());
  target.path = std::string(url.encoded_target());
  if (!target.path.starts_with('/')) target.path = "/" + target.path;
  return target;
}

std::unique_ptr<boost::asio::ssl::context> MakeTls(YamlMap& config,
                                                   const std::optional<std::string>& ca) {
  auto tls = std::make_unique<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
  boost::system::error_code error;
  tls->set_options(boost::asio::ssl::context::default_workarounds |
                       boost::asio::ssl::context::no_tlsv1 | boost::asio::ssl::context::no_tlsv1_1,
                   error);
  if (!ca) {
    tls->set_default_verify_paths(error);
    if (error) config.Fault("url", "the system's certificates: " + error.message());
    return tls;
  }
  const auto pem = ReadFile(*ca);
  if (!pem.ok()) {
    config.Fault("ca", "`ca`: " + std::string(pem.status().message()));
    return tls;
  }
  tls->add_certificate_authority(boost::asio::buffer(*pem), error);
  if (error) config.Fault("ca", "`ca`: expected certificates in PEM: " + error.message());
  return tls;
}

}  // namespace

std::unique_ptr<Sensor> MakeScrapeSensor(YamlMap& config, World& world) {
  const std::string url = config.RequiredString("url");
  const auto target = ParseUrl(url);
  if (!target && !url.empty()) {
    config.Fault("url", "`url`: expected http:// or https://host[:port]/path, without user");
  }
  auto filter = std::make_shared<SeriesFilter>();
  filter->keep = ReadPatterns(config, "keep");
  filter->drop = ReadPatterns(config, "drop");
  filter->limit = static_cast<size_t>(config.Int("limit", 1, kMaxLimit, kDefaultLimit));
  const auto ca = config.String("ca");
  std::unique_ptr<boost::asio::ssl::context> tls;
  if (target && target->tls) {
    tls = MakeTls(config, ca);
  } else if (ca) {
    config.Fault("ca", "`ca` is for https only");
  }
  return std::make_unique<ScrapeSensor>(target.value_or(ScrapeTarget{}), std::move(tls),
                                        std::move(filter), world);
}

}  // namespace oppetid::agent
