#include "collector/identity_api.h"

#include "collector/admin_api.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

// Answers with the text, or with what is wrong.
std::function<void(absl::StatusOr<std::string>)> Answering(HttpDone done) {
  return [done = std::move(done)](const absl::StatusOr<std::string>& told) {
    done(told.ok() ? TextAnswer(200, *told) : ErrorAnswer(told.status()));
  };
}

std::optional<Millis> TtlOf(const HttpRequest& request) {
  constexpr Millis kUsual = std::chrono::hours(1);
  const std::string ttl = Query(request, "ttl");
  return ttl.empty() ? kUsual : ParseDuration(ttl);
}

const char* StateOf(const Host& host) {
  if (host.retired) return "retired";
  if (host.revoked) return "revoked";
  return host.enrolled ? "enrolled" : "invited";
}

std::string HostsJson(const Hosts& hosts, Instant now) {
  std::string json = "{\"agents\":[";
  for (const auto& [name, host] : hosts.all()) {
    const bool open = host.invitation && !host.invitation->ended && !host.invitation->used &&
                      now < host.invitation->expires;
    if (json.back() == '}') json += ",";
    json += "{\"municipality\":" + JsonQuote(host.municipality) + ",\"host\":" + JsonQuote(name) +
            ",\"state\":\"" + StateOf(host) + "\",\"invited_until\":" +
            (open ? "\"" + FormatInstant(host.invitation->expires) + "\"" : "null") +
            ",\"certificate_expires\":" +
            (host.newest ? "\"" + FormatInstant(host.newest->expires) + "\"" : "null") +
            ",\"certificate_serial\":" + (host.newest ? JsonQuote(host.newest->serial) : "null") +
            "}";
  }
  return json + "]}";
}

void AddEnd(Api& api, const char* path, Enrolment& enrolment, bool retired) {
  api.Route("POST", path, Access::kAdmin,
            [&enrolment, retired](const HttpRequest& request, HttpDone done) {
              const std::string reason = Query(request, "reason");
              if (reason.empty() && !retired) {
                return done(TextAnswer(400, "say why: --reason TEXT\n"));
              }
              enrolment.End(CallerOf(request), Query(request, "host"), reason, retired,
                            Answering(std::move(done)));
            });
}

}  // namespace

void AddIdentityRoutes(Api& api, Enrolment& enrolment, Rollover& rollover, const Hosts& hosts,
                       const Clock& clock) {
  api.Route("GET", "/api/v1/agents", Access::kAdmin,
            [&hosts, &clock](const HttpRequest&, const HttpDone& done) {
              done(JsonAnswer(HostsJson(hosts, clock.Now())));
            });
  api.Route("POST", "/api/v1/agents/invite", Access::kAdmin,
            [&enrolment](const HttpRequest& request, HttpDone done) {
              const auto ttl = TtlOf(request);
              if (!ttl) return done(TextAnswer(400, "ttl: a duration, such as 1h\n"));
              enrolment.Invite(CallerOf(request),
                               {Query(request, "municipality"), Query(request, "host")}, *ttl,
                               Answering(std::move(done)));
            });
  api.Route("POST", "/api/v1/agents/reinvite", Access::kAdmin,
            [&enrolment](const HttpRequest& request, HttpDone done) {
              const auto ttl = TtlOf(request);
              if (!ttl) return done(TextAnswer(400, "ttl: a duration, such as 1h\n"));
              enrolment.Reinvite(CallerOf(request), Query(request, "host"), *ttl,
                                 Answering(std::move(done)));
            });
  AddEnd(api, "/api/v1/agents/revoke", enrolment, /*retired=*/false);
  AddEnd(api, "/api/v1/agents/retire", enrolment, /*retired=*/true);
  api.Route("GET", "/api/v1/ca/rollover", Access::kAdmin,
            [&rollover](const HttpRequest&, const HttpDone& done) {
              done(JsonAnswer(rollover.StatusJson()));
            });
  api.Route("POST", "/api/v1/ca/rollover/start", Access::kAdmin,
            [&rollover](const HttpRequest& request, HttpDone done) {
              rollover.Start(CallerOf(request), Answering(std::move(done)));
            });
  api.Route("POST", "/api/v1/ca/rollover/finish", Access::kAdmin,
            [&rollover](const HttpRequest& request, HttpDone done) {
              rollover.Finish(CallerOf(request), Answering(std::move(done)));
            });
}

}  // namespace oppetid::collector
