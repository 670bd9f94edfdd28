// One HTTP request and its response, over plain TCP or TLS, with every phase timed.
//
// What judges, follows redirects and reads configuration stands in the sensors. Everything the
// server sends is bounded: headers, body, interim responses.
// Threading: the agent's thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/sensors/net.h"
#include "agent/sensors/sensor.h"
#include "agent/sensors/tls.h"

namespace oppetid::agent {

struct Url {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string path = "/";  // with the query, percent-encoded as it stood

  // What goes into the Host header: without the port where it is the scheme's own.
  std::string Authority() const;
  bool SameOrigin(const Url& other) const {
    return tls == other.tls && host == other.host && port == other.port;
  }
};

// An http or https URL without user and password; nullopt for everything else.
std::optional<Url> ParseUrl(std::string_view text);

// Where a Location header leads from `base`.
std::optional<Url> ResolveUrl(const Url& base, std::string_view location);

using Headers = std::vector<std::pair<std::string, std::string>>;

// Whether this can stand in a request, without making two headers of one.
bool IsHeaderName(std::string_view name);
bool IsHeaderValue(std::string_view value);

struct HttpRequest {
  Url url;
  bool head = false;        // HEAD in place of GET
  Headers headers;          // beside Host (unless given here), User-Agent and Connection
  std::string server_name;  // for TLS; the URL's host when empty
  bool verify = true;       // whether an untrusted certificate ends it
  size_t max_body = 0;      // no more than this is read
  bool keep_body = false;
};

struct HttpPhase {
  const char* name;
  Steady::duration took;
};

struct HttpResponse {
  // Set when there is no response: one line, and whether the question was put at all.
  std::string error;
  bool could_not_ask = false;

  unsigned status = 0;
  std::string location;  // of a redirect, as it stood
  std::string body;
  std::vector<HttpPhase> phases;  // resolve, connect, tls, first_byte, transfer: those reached
  std::optional<Chain> chain;
};

// `tls` must be prepared where the URL is https.
boost::asio::awaitable<HttpResponse> ExchangeHttp(World& world, TlsClient& tls,
                                                  HttpRequest request);

}  // namespace oppetid::agent
