#include "collector/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/text.h"

namespace oppetid::collector {
namespace {

namespace json = boost::json;

constexpr size_t kSecretBytes = 16;
// More tokens than this are no longer looked after by anybody.
constexpr size_t kMaxTokens = 1000;
constexpr size_t kMaxPurposeBytes = 100;

std::string HexOf(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), size));
}

std::string HashOf(std::string_view secret) {
  std::array<unsigned char, 32> digest{};
  OPPETID_CHECK(
      EVP_Digest(secret.data(), secret.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
      "SHA-256 of memory does not fail");
  return HexOf(digest.data(), digest.size());
}

std::string RandomSecret() {
  std::array<unsigned char, kSecretBytes> bytes{};
  OPPETID_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1,
                "the kernel's generator gives bytes");
  return HexOf(bytes.data(), bytes.size());
}

// The number in "t-<number>".
std::optional<uint64_t> NumberOf(std::string_view id) {
  uint64_t number = 0;
  if (!id.starts_with("t-")) return std::nullopt;
  id.remove_prefix(2);
  if (!absl::SimpleAtoi(absl::string_view(id.data(), id.size()), &number)) return std::nullopt;
  return number;
}

json::value Municipalities(const Reach& reach) {
  if (reach.all) return nullptr;
  json::array names;
  for (const std::string& name : reach.municipalities) names.emplace_back(name);
  return names;
}

}  // namespace

Tokens::Tokens(Acts& acts) : acts_(acts) {
  acts_.AddView([this](const Act& act) { OnAct(act); });
}

void Tokens::OnAct(const Act& act) {
  if (act.kind != "token_created" && act.kind != "token_revoked") return;
  boost::system::error_code error;
  const json::value body = json::parse(act.body, error);
  OPPETID_CHECK(!error && body.is_object(), "this program wrote the body, and the chain holds");
  if (act.kind == "token_revoked") {
    const auto number = NumberOf(body.at("id").as_string());
    if (number && tokens_.contains(*number)) tokens_.at(*number).revoked_at = act.at;
    return;
  }
  Token token;
  const json::value& municipalities = body.at("municipalities");
  token.grant.reach.all = municipalities.is_null();
  if (municipalities.is_array()) {
    for (const json::value& name : municipalities.as_array()) {
      token.grant.reach.municipalities.emplace(name.as_string());
    }
  }
  token.grant.push = body.at("push").as_bool();
  token.hash = body.at("hash").as_string();
  token.purpose = body.at("purpose").as_string();
  token.created_at = act.at;
  token.created_by = act.who;
  tokens_[act.number] = std::move(token);
}

std::optional<TokenGrant> Tokens::Find(std::string_view bearer) const {
  const size_t dot = bearer.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = NumberOf(bearer.substr(0, dot));
  if (!number) return std::nullopt;
  const auto found = tokens_.find(*number);
  if (found == tokens_.end() || found->second.revoked_at) return std::nullopt;
  const std::string hash = HashOf(bearer.substr(dot + 1));
  if (CRYPTO_memcmp(hash.data(), found->second.hash.data(), hash.size()) != 0) return std::nullopt;
  return found->second.grant;
}

void Tokens::Create(const Caller& caller, const TokenGrant& grant, const std::string& purpose,
                    std::function<void(absl::StatusOr<std::string>)> done) {
  const std::string secret = RandomSecret();
  acts_.Record(
      caller,
      [this, grant, purpose, hash = HashOf(secret)](uint64_t,
                                                    Instant) -> absl::StatusOr<Acts::Draft> {
        if (tokens_.size() >= kMaxTokens) {
          return absl::ResourceExhaustedError(
              absl::StrCat("there have been ", kMaxTokens, " tokens, which is the most"));
        }
        const json::object body{{"municipalities", Municipalities(grant.reach)},
                                {"push", grant.push},
                                {"purpose", OneLine(purpose, kMaxPurposeBytes)},
                                {"hash", hash}};
        return Acts::Draft{"token_created", json::serialize(body)};
      },
      [secret, done = std::move(done)](const absl::StatusOr<Act>& act) {
        if (!act.ok()) return done(act.status());
        done(absl::StrCat("t-", act->number, ".", secret));
      });
}

void Tokens::Revoke(const Caller& caller, const std::string& id,
                    std::function<void(absl::Status)> done) {
  acts_.Record(
      caller,
      [this, id](uint64_t, Instant) -> absl::StatusOr<Acts::Draft> {
        const auto number = NumberOf(id);
        const auto found = number ? tokens_.find(*number) : tokens_.end();
        if (found == tokens_.end()) {
          return absl::NotFoundError("no such token; `oppetid token list` shows them");
        }
        if (found->second.revoked_at) return absl::FailedPreconditionError("it is revoked already");
        const json::object body{{"id", id}};
        return Acts::Draft{"token_revoked", json::serialize(body)};
      },
      [done = std::move(done)](const absl::StatusOr<Act>& act) { done(act.status()); });
}

std::string Tokens::ListJson() const {
  json::array list;
  for (const auto& [number, token] : tokens_) {
    json::object entry{{"id", absl::StrCat("t-", number)},
                       {"municipalities", Municipalities(token.grant.reach)},
                       {"push", token.grant.push},
                       {"purpose", token.purpose},
                       {"created_at", FormatInstant(token.created_at)},
                       {"created_by", token.created_by},
                       {"revoked_at", nullptr}};
    if (token.revoked_at) entry["revoked_at"] = FormatInstant(*token.revoked_at);
    list.push_back(std::move(entry));
  }
  return json::serialize(json::object{{"tokens", std::move(list)}}) + "\n";
}

}  // namespace oppetid::collector
