// The simulation's ledger keeps the promises of every engine.
#include "tests/simulation/memory_ledger.h"

#include "tests/contract/ledger_contract.h"

namespace oppetid::collector {
namespace {

class MemoryPlace : public LedgerPlace {
 public:
  MemoryPlace() {
    static int made = 0;
    const std::string number = std::to_string(++made);
    image_->id = std::string(32 - number.size(), '0') + number;
  }
  absl::StatusOr<std::unique_ptr<Ledger>> Open() override {
    return simulation::OpenMemoryLedger(image_);
  }
  void Break() override { image_->full = true; }
  void Mend() override { image_->full = false; }
  void MakeNewer() override { image_->newer_schema = true; }

 private:
  std::shared_ptr<simulation::LedgerImage> image_ = std::make_shared<simulation::LedgerImage>();
};

std::unique_ptr<LedgerPlace> MakeMemoryPlace() { return std::make_unique<MemoryPlace>(); }

INSTANTIATE_TEST_SUITE_P(Memory, LedgerContract, testing::Values(&MakeMemoryPlace));

}  // namespace
}  // namespace oppetid::collector
