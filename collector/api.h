// What HTTP requests mean: metrics, health, status, and people's acts through admin.sock.
//
// Threading: the hub's thread. Lifetime: what the constructor takes outlives the Api.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collector/counters.h"
#include "collector/hub.h"
#include "collector/ledger/ledger.h"
#include "collector/tokens.h"
#include "collector/web/http_server.h"

namespace oppetid::collector {

// Who may call a route.
enum class Access {
  kOpen,   // anybody who reaches the port
  kRead,   // a read token, admin.sock, or loopback where anonymous reading is configured
  kPush,   // a push token, or admin.sock
  kAdmin,  // admin.sock only
};

class Api {
 public:
  // `anonymous`: loopback may read without a token.
  Api(Hub& hub, Ledger& ledger, Counters& counters, const Clock& clock, const Tokens& tokens,
      bool anonymous);

  // Adds a page; a GET route answers HEAD as well. `done` is called once, now or later.
  void Route(const std::string& method, const std::string& path, Access access,
             HttpHandler handler);

  // Adds families to /metrics: text format 0.0.4 of what a reader may see.
  using Families = std::function<std::string(const View&, const Reach&)>;
  void AddFamilies(Families families) { families_.push_back(std::move(families)); }

  void Handle(HttpRequest request, HttpDone done);
  // OK when facts can be taken; else why not, for /readyz.
  absl::Status Ready() const;

 private:
  struct Page {
    Access access;
    HttpHandler handler;
  };
  void AddOwnRoutes();
  // What a request may see (kRead) or speak of (kPush); nothing where it may not at all.
  std::optional<Reach> ReachOf(Access access, const HttpRequest& request) const;
  HttpResponse Metrics(const HttpRequest& request, bool carried);
  HttpResponse CheckNow(const HttpRequest& request);

  Hub& hub_;
  Ledger& ledger_;
  Counters& counters_;
  const Clock& clock_;
  const Tokens& tokens_;
  bool anonymous_;
  std::vector<Families> families_;
  std::map<std::pair<std::string, std::string>, Page> pages_;  // by path and method
};

// A short answer in plain text.
HttpResponse TextAnswer(int status, std::string body);
// 200 with JSON.
HttpResponse JsonAnswer(std::string body);
// 200 with what `write` appends from a reader of the ledger, as JSON lines: all at once and as one
// committed state, on the pool.
using LineWriter = std::function<absl::Status(LedgerReader& reader, std::string* out)>;
HttpResponse LinesAnswer(const Ledger& ledger, LineWriter write);
// What an error of ours means in HTTP.
HttpResponse ErrorAnswer(const absl::Status& status);
// A query value; empty where there is none.
std::string Query(const HttpRequest& request, const std::string& key);

}  // namespace oppetid::collector
