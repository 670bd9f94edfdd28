// collector.yaml from nowhere: every text is read, or refused with places; nothing crashes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collector/config.h"
#include "common/check.h"
#include "common/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oppetid::Faults faults("collector.yaml");
  oppetid::collector::ReadCollectorConfig(
      std::string_view(reinterpret_cast<const char*>(data), size), faults);
  for (const std::string& line : faults.lines()) {
    OPPETID_CHECK(line.rfind("collector.yaml:", 0) == 0, "a fault names its place");
    OPPETID_CHECK(oppetid::IsUtf8(line), "a fault is printed as UTF-8");
  }
  return 0;
}
