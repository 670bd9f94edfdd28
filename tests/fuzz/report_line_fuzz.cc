// Fuzzes what programs on the machine report, and the replies. Breaks when what was read is not
// read the same after it was written again.
#include <cstdint>

#include "agent/report_line.h"
#include "common/check.h"
#include "common/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace oppetid::agent;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ParsedReport parsed = ParseReport(input);
  OPPETID_CHECK(parsed.report.has_value() == parsed.fault.empty(), "a report, or a fault");
  if (parsed.report) {
    std::string line = FormatReport(*parsed.report);
    OPPETID_CHECK(line.ends_with('\n') && line.find('\n') == line.size() - 1, "it is one line");
    OPPETID_CHECK(line.size() <= kMaxReportLine, "what was taken can be sent");
    line.pop_back();
    const ParsedReport again = ParseReport(line);
    OPPETID_CHECK(again.report && FormatReport(*again.report) == line + "\n", "a round trip");
  } else {
    const std::string reply = FormatReply(parsed.fault);
    OPPETID_CHECK(ParseReply(reply) == oppetid::OneLine(parsed.fault), "a refusal arrives");
  }
  ParseReply(input);
  return 0;
}
