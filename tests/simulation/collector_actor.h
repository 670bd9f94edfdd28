// The collector of the simulation: a real Hub on a ledger in memory that can be copied.
//
// It watches its own promises while it runs: an ack, or a watermark in a Welcome, is never ahead of
// what the ledger holds. Not thread-safe; the world outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/hub.h"
#include "tests/simulation/memory_ledger.h"
#include "tests/simulation/seams.h"

namespace oppetid::simulation {

class World;
struct Stream;

class CollectorActor : public collector::LedgerWriter, public Clock {
 public:
  explicit CollectorActor(World& world);

  void Start();
  void Die();
  void Tick();
  // Puts another ledger in its place; it must be down.
  void Replace(std::shared_ptr<LedgerImage> image) {
    replaced_.push_back(std::exchange(image_, std::move(image)));
  }

  void Accept(const std::shared_ptr<Stream>& stream);
  void OnFrame(const std::shared_ptr<Stream>& stream, const v1::AgentFrame& frame);
  void OnClosed(const std::shared_ptr<Stream>& stream);
  // Before a frame leaves: what it promises is durable.
  void CheckPromise(const Stream& stream, const v1::CollectorFrame& frame);

  void Commit(std::shared_ptr<const collector::Batch> batch, Instant now,
              std::function<void(absl::Status)> done) override;
  Instant Now() const override;
  Steady SteadyNow() const override;

  bool alive() const { return hub_ != nullptr; }
  collector::Hub& hub() { return *hub_; }
  const std::shared_ptr<LedgerImage>& image() const { return image_; }
  std::shared_ptr<LedgerImage> NewImage();
  // Those that were replaced, as they were then.
  const std::vector<std::shared_ptr<LedgerImage>>& replaced() const { return replaced_; }

  Fuse fuse;
  bool disk_full = false;
  bool hangs = false;
  int64_t offset = 0;  // of its clock

 private:
  // A fact that came while it spoke of the future.
  struct Early {
    v1::Fact fact;
    int64_t came = 0;  // by the collector's clock
  };
  void Call(const std::function<void(collector::Hub&)>& f);
  void NoteEarly(const std::string& host, const v1::Facts& facts);
  // A batch is durable: what it passed over as from the future is refused.
  void TellRefusals(const collector::Batch& batch);

  World& world_;
  Dice dice_;
  collector::Counters counters_{*this};
  std::shared_ptr<LedgerImage> image_;
  std::unique_ptr<collector::Ledger> ledger_;
  std::unique_ptr<collector::Hub> hub_;
  uint64_t life_ = 0;
  // By host, epoch and sequence, what this life has got; until a commit says what became of it.
  std::map<std::string, std::map<std::pair<uint64_t, uint64_t>, Early>> early_;
  std::vector<std::shared_ptr<LedgerImage>> replaced_;
};

}  // namespace oppetid::simulation
