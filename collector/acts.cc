#include "collector/acts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace oppetid::collector {
namespace {

// Acts that wait while one is being stored; people are slower than this.
constexpr size_t kMaxWishes = 100;

}  // namespace

absl::Status Acts::Load(LedgerReader& reader) {
  absl::Status broken;
  const absl::Status read = reader.ForEachAct(1, [&](const Act& act) {
    if (!broken.ok()) return;
    if (act.number != head_.number + 1 || act.hash != ChainHash(head_.hash, act)) {
      broken = absl::DataLossError(
          absl::StrCat("the audit chain is broken after act ", head_.number,
                       ": a record was changed or is missing; restore the ledger from a backup"));
      return;
    }
    Tell(act);
  });
  return read.ok() ? broken : read;
}

void Acts::Record(Caller caller, Prepare prepare, Done done) {
  if (wishes_.size() >= kMaxWishes) {
    done(absl::ResourceExhaustedError("too many acts wait; try again"));
    return;
  }
  wishes_.push_back({std::move(caller), std::move(prepare), std::move(done)});
  Next();
}

void Acts::Next() {
  while (!storing_ && !wishes_.empty()) {
    Wish wish = std::move(wishes_.front());
    wishes_.pop_front();
    Act act;
    act.number = head_.number + 1;
    act.at = std::max(clock_.Now(), newest_);
    auto draft = wish.prepare(act.number, act.at);
    if (draft.ok() && draft->body.size() > kMaxActBytes) {
      draft = absl::InvalidArgumentError("too large");
    }
    if (!draft.ok()) {
      wish.done(draft.status());
      continue;
    }
    act.kind = std::move(draft->kind);
    act.who = std::move(wish.caller.who);
    act.on_behalf_of = std::move(wish.caller.on_behalf_of);
    act.body = std::move(draft->body);
    act.hash = ChainHash(head_.hash, act);
    auto batch = std::make_shared<Batch>();
    batch->acts.push_back(act);
    storing_ = true;
    hub_.Store(batch, [this, act, done = wish.done](const absl::Status& status) {
      storing_ = false;
      if (status.ok()) {
        Tell(act);
        LogInfo("act", {{"number", act.number},
                        {"kind", act.kind},
                        {"who", act.who},
                        {"on_behalf_of", act.on_behalf_of},
                        {"hash", act.hash}});
        done(act);
      } else {
        done(status);
      }
      Next();
    });
  }
}

void Acts::Tell(const Act& act) {
  head_ = {act.number, act.hash};
  newest_ = act.at;
  for (const View& view : views_) view(act);
}

}  // namespace oppetid::collector
