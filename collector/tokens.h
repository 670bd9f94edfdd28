// Tokens for HTTP: who may read what, or push tickets.
//
// A token is `<id>.<secret>`: the id finds its record, the secret is 128 random bits of which only
// the SHA-256 is kept. What holds now is what the acts token_created and token_revoked say, so this
// is a view of acts (acts.h).
//
// Threading: the hub's thread. Lifetime: acts outlive this.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/acts.h"
#include "collector/reach.h"

namespace oppetid::collector {

struct TokenGrant {
  Reach reach;
  bool push = false;  // may push tickets for its reach, and read nothing
};

class Tokens {
 public:
  explicit Tokens(Acts& acts);

  // What a bearer may do; nothing for an unknown, revoked or wrong token. The secret is compared in
  // constant time.
  std::optional<TokenGrant> Find(std::string_view bearer) const;

  // Makes a token; `done` gets its text, which nobody can get again.
  void Create(const Caller& caller, const TokenGrant& grant, const std::string& purpose,
              std::function<void(absl::StatusOr<std::string>)> done);
  // NotFound where there is no such token that holds.
  void Revoke(const Caller& caller, const std::string& id, std::function<void(absl::Status)> done);

  // {"tokens":[{"id","municipalities" (null: all),"push","purpose","created_at","created_by",
  // "revoked_at" (null: holds)}]}, in the order of creation.
  std::string ListJson() const;

 private:
  struct Token {
    TokenGrant grant;
    std::string hash;
    std::string purpose;
    Instant created_at;
    std::string created_by;
    std::optional<Instant> revoked_at;
  };
  void OnAct(const Act& act);

  Acts& acts_;
  std::map<uint64_t, Token> tokens_;  // by the number in the id: t-<number>
};

}  // namespace oppetid::collector
