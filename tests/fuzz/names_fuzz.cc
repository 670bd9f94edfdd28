// Fuzzes the small texts that come from outside or from an earlier run: SPIFFE ids and the packed
// columns of the ledger.
#include <cstdint>

#include "collector/ledger/packing.h"
#include "common/check.h"
#include "common/identity.h"
#include "common/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto identity = oppetid::ParseSpiffeId(input, "d"); identity.ok()) {
    OPPETID_CHECK(oppetid::IsId(identity->municipality) && oppetid::IsId(identity->host),
                  "an identity has two ids");
    OPPETID_CHECK(
        input == "spiffe://d/municipality/" + identity->municipality + "/host/" + identity->host,
        "and nothing besides");
  }
  const auto runs = oppetid::collector::UnpackRuns(input);
  const std::string packed = oppetid::collector::PackRuns(runs);
  OPPETID_CHECK(oppetid::collector::PackRuns(oppetid::collector::UnpackRuns(packed)) == packed,
                "runs stay what they are");
  const auto marks = oppetid::collector::UnpackWatermarks(input);
  OPPETID_CHECK(
      oppetid::collector::UnpackWatermarks(oppetid::collector::PackWatermarks(marks)) == marks,
      "watermarks stay what they are");
  return 0;
}
