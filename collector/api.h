// What HTTP requests mean: metrics, health, status, export, and people's acts through admin.sock.
//
// Threading: the hub's thread. Lifetime: what the constructor takes outlives the Api.
#pragma once

#include <functional>
#include <string>

#include "collector/counters.h"
#include "collector/hub.h"
#include "collector/ledger/ledger.h"
#include "collector/web/http_server.h"

namespace oppetid::collector {

class Api {
 public:
  // `anonymous`: loopback may read without a token.
  Api(Hub& hub, Ledger& ledger, Counters& counters, const Clock& clock, bool anonymous);

  void Handle(HttpRequest request, HttpDone done);
  // OK when facts can be taken; else why not, for /readyz.
  absl::Status Ready() const;

 private:
  bool MayRead(const HttpRequest& request) const;
  HttpResponse Metrics(const HttpRequest& request, bool carried);
  void Export(const HttpRequest& request, HttpDone done);
  HttpResponse CheckNow(const HttpRequest& request);

  Hub& hub_;
  Ledger& ledger_;
  Counters& counters_;
  const Clock& clock_;
  bool anonymous_;
};

}  // namespace oppetid::collector
