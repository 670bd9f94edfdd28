// Fuzzes what monitoring plugins print. Breaks when a promise of plugin_output.h does not hold.
#include <cmath>
#include <cstdint>
#include <set>

#include "agent/sensors/plugin_output.h"
#include "common/check.h"
#include "common/text.h"

namespace {

void CheckRange(const oppetid::agent::PluginRange& range) {
  OPPETID_CHECK(!range.lower || std::isfinite(*range.lower), "limits are finite");
  OPPETID_CHECK(!range.upper || std::isfinite(*range.upper), "limits are finite");
  OPPETID_CHECK(!range.lower || !range.upper || *range.lower <= *range.upper,
                "a range is in order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const oppetid::agent::PluginOutput output = oppetid::agent::ParsePluginOutput(input);
  OPPETID_CHECK(output.text == oppetid::OneLine(output.text), "the text is one safe line");
  OPPETID_CHECK(output.values.size() <= oppetid::agent::kMaxPluginValues, "values are bounded");
  OPPETID_CHECK(output.ignored <= size, "no more pieces than bytes");
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& value : output.values) {
    OPPETID_CHECK(!value.label.empty(), "labels are not empty");
    OPPETID_CHECK(
        value.label == oppetid::OneLine(value.label, oppetid::agent::kMaxPluginLabelBytes),
        "labels are one safe line");
    OPPETID_CHECK(value.unit == oppetid::OneLine(value.unit, oppetid::agent::kMaxPluginUnitBytes),
                  "units are one safe line");
    OPPETID_CHECK(std::isfinite(value.value), "values are finite");
    OPPETID_CHECK(seen.emplace(value.label, value.unit).second, "label and unit are unique");
    CheckRange(value.warning);
    CheckRange(value.critical);
  }
  return 0;
}
