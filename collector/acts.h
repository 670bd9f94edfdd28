// People's acts: recorded one at a time in the audit chain, and told to whoever follows from them.
//
// Invitations, tokens, catalogues, maintenance, corrections: each is an act, and what holds now is
// what all acts say in their order. A view of acts gets every one, at the start those of the ledger
// and then each new one once it is durable, and answers from memory.
//
// Threading: the hub's thread. Lifetime: hub and clock outlive this.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/hub.h"
#include "collector/ledger/ledger.h"
#include "common/clock.h"

namespace oppetid::collector {

// Who does it.
struct Caller {
  std::string who;  // the user at the other end of admin.sock
  std::string on_behalf_of;
};

class Acts {
 public:
  // What is to be recorded, or why it is refused.
  struct Draft {
    std::string kind;
    std::string body;  // a JSON object, at most kMaxActBytes; never a secret
  };
  // Called when it is this act's turn, after all acts before it have been told to the views: what
  // it decides still holds when the act is stored. Gets the number that the act will have, and its
  // instant.
  using Prepare = std::function<absl::StatusOr<Draft>(uint64_t number, Instant at)>;
  using Done = std::function<void(absl::StatusOr<Act>)>;
  using View = std::function<void(const Act&)>;

  static constexpr size_t kMaxActBytes = 1'000'000;  // as much as a request may bring

  Acts(Hub& hub, const Clock& clock) : hub_(hub), clock_(clock) {}

  // Before Load.
  void AddView(View view) { views_.push_back(std::move(view)); }
  // Tells the views what the ledger knows, and checks the chain.
  absl::Status Load(LedgerReader& reader);

  void Record(Caller caller, Prepare prepare, Done done);

  const ChainHead& head() const { return head_; }

 private:
  struct Wish {
    Caller caller;
    Prepare prepare;
    Done done;
  };
  void Next();
  void Tell(const Act& act);

  Hub& hub_;
  const Clock& clock_;
  std::vector<View> views_;
  ChainHead head_;
  Instant newest_;
  std::deque<Wish> wishes_;
  bool storing_ = false;
};

}  // namespace oppetid::collector
