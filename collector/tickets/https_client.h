// Asks a helpdesk's API over HTTPS: one GET, one answer, everything bounded.
//
// The server's certificate is verified before a byte of ours is sent, since the first bytes carry
// a token. Plain http is for a helpdesk on this machine. No redirects, no cookies.
// Threading: the executor's; names are looked up on the pool, which outlives this.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/async.h"

namespace oppetid::collector {

struct ApiUrl {
  bool tls = true;
  std::string host;
  std::string port;
  std::string path;  // without a slash at its end
};

// https://host[:port]/path, or http:// where the host is a loopback address; else nullopt.
std::optional<ApiUrl> ParseApiUrl(const std::string& text);

struct ApiReply {
  int status = 0;
  std::string body;
};

class HttpsClient {
 public:
  // A page of a hundred tickets has 75 kB.
  static constexpr uint64_t kMaxBodyBytes = 16'000'000;
  // A helpdesk under load may take half a minute for a page.
  static constexpr std::chrono::seconds kTimeout{60};

  // `ca_file`: PEM of the authorities to trust; empty: the system's.
  static absl::StatusOr<std::unique_ptr<HttpsClient>> Make(ApiUrl url, const std::string& ca_file,
                                                           BlockingPool& pool);
  ~HttpsClient();

  // `target` follows the URL's path; `authorization` is the header's value.
  boost::asio::awaitable<absl::StatusOr<ApiReply>> Get(std::string target,
                                                       std::string authorization);

 private:
  struct Tls;
  HttpsClient(ApiUrl url, std::unique_ptr<Tls> tls, BlockingPool& pool);

  ApiUrl url_;
  std::unique_ptr<Tls> tls_;
  BlockingPool& pool_;
};

// `text` for a query value.
std::string EncodeQuery(const std::string& text);

}  // namespace oppetid::collector
