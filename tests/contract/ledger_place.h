// What every test of an engine of the ledger needs: where a ledger lies, and what is written to it.
//
// Everything lives in one test process; nothing is shared between tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "collector/ledger/ledger.h"
#include "tests/support/spans.h"

namespace oppetid::collector {

// One engine's ledger, somewhere of its own; gone with this object.
class LedgerPlace {
 public:
  virtual ~LedgerPlace() = default;
  // Opens what lies there, or makes it.
  virtual absl::StatusOr<std::unique_ptr<Ledger>> Open() = 0;
  // From now on writes fail for want of room, until Mend.
  virtual void Break() = 0;
  virtual void Mend() = 0;
  // Marks what lies there as written by a program with a newer schema.
  virtual void MakeNewer() = 0;
};

using MakeLedgerPlace = std::unique_ptr<LedgerPlace> (*)();

inline RunWrite RunOf(int64_t since, int64_t to, State state = State::kOk,
                      const std::string& check = "disk", bool grow_in_place = false) {
  return {"srv1", check, state, At(since), At(to), grow_in_place};
}

inline Batch Runs(std::vector<RunWrite> runs) {
  Batch batch;
  batch.runs = std::move(runs);
  return batch;
}

class LedgerContract : public testing::TestWithParam<MakeLedgerPlace> {
 protected:
  LedgerContract() : place_(GetParam()()) { Reopen(); }

  void Reopen() {
    ledger_.reset();
    auto opened = place_->Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    ledger_ = *std::move(opened);
  }
  void Commit(const Batch& batch, int64_t now) {
    const absl::Status status = ledger_->Commit(batch, At(now));
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<std::string> Told() const { return Spans(*ledger_); }

  std::unique_ptr<LedgerPlace> place_;
  std::unique_ptr<Ledger> ledger_;
};

inline AgentRow ExampleAgent() {
  AgentRow row;
  row.host = "srv1";
  row.municipality = "vik";
  row.last_seen = At(7);
  row.version = "0.1.0";
  row.os = "Debian \"12\"\tå";
  row.interval = Millis(15'000);
  row.watermarks = {{1, 5}, {UINT64_MAX, UINT64_MAX - 1}};
  row.runs.push_back(
      {"disk", State::kWarning, At(0), At(30), Millis(45'000), "91 % full\tof 1 TB"});
  row.losses.push_back({"dns", State::kOk, At(1), At(2), Millis(45'000), ""});
  return row;
}

}  // namespace oppetid::collector
