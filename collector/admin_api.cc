#include "collector/admin_api.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

constexpr size_t kMaxNameBytes = 100;

absl::StatusOr<TokenGrant> ReadGrant(const HttpRequest& request) {
  TokenGrant grant;
  grant.push = Query(request, "push") == "1";
  grant.reach.all = Query(request, "all") == "1";
  const std::string names = Query(request, "municipalities");
  if (grant.reach.all != names.empty()) {
    return absl::InvalidArgumentError(
        "a token is for named municipalities or for all: one of both");
  }
  if (grant.reach.all) return grant;
  for (const absl::string_view name : absl::StrSplit(names, ',')) {
    const std::string municipality(name);
    if (!IsId(municipality)) {
      return absl::InvalidArgumentError(absl::StrCat(
          OneLine(municipality, 60), " is no municipality: 1 to 63 of a-z, 0-9, - and ."));
    }
    grant.reach.municipalities.insert(municipality);
  }
  return grant;
}

}  // namespace

Caller CallerOf(const HttpRequest& request) {
  return {request.user, OneLine(Query(request, "on_behalf_of"), kMaxNameBytes)};
}

void AddTokenPages(Api& api, Tokens& tokens) {
  api.Route("POST", "/api/v1/tokens", Access::kAdmin,
            [&tokens](const HttpRequest& request, const HttpDone& done) {
              const auto grant = ReadGrant(request);
              if (!grant.ok()) return done(ErrorAnswer(grant.status()));
              tokens.Create(
                  CallerOf(request), *grant, Query(request, "purpose"),
                  [done](const absl::StatusOr<std::string>& token) {
                    done(token.ok() ? TextAnswer(200, *token + "\n") : ErrorAnswer(token.status()));
                  });
            });
  api.Route(
      "GET", "/api/v1/tokens", Access::kAdmin,
      [&tokens](const HttpRequest&, const HttpDone& done) { done(JsonAnswer(tokens.ListJson())); });
  api.Route("POST", "/api/v1/tokens/revoke", Access::kAdmin,
            [&tokens](const HttpRequest& request, const HttpDone& done) {
              tokens.Revoke(
                  CallerOf(request), Query(request, "id"), [done](const absl::Status& status) {
                    done(status.ok() ? TextAnswer(200, "revoked\n") : ErrorAnswer(status));
                  });
            });
}

std::string ActJson(const Act& act) {
  // The body is a JSON object already.
  return absl::StrCat("{\"number\":", act.number, ",\"at\":", JsonQuote(FormatInstant(act.at)),
                      ",\"kind\":", JsonQuote(act.kind), ",\"who\":", JsonQuote(act.who),
                      ",\"on_behalf_of\":", JsonQuote(act.on_behalf_of),
                      ",\"body\":", JsonQuote(act.body), ",\"hash\":", JsonQuote(act.hash), "}\n");
}

void AddAuditPage(Api& api, const Ledger& ledger) {
  api.Route("GET", "/api/v1/audit", Access::kAdmin,
            [&ledger](const HttpRequest&, const HttpDone& done) {
              done(LinesAnswer(ledger, [](LedgerReader& reader, std::string* out) {
                return reader.ForEachAct(1, [out](const Act& act) { *out += ActJson(act); });
              }));
            });
}

}  // namespace oppetid::collector
