// Fuzzes the reader of spool segments. Breaks when it reads what the writer did not write, when
// sequences do not rise, or when damage goes unnoticed.
#include <cstdint>
#include <string>

#include "agent/segment.h"
#include "common/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using oppetid::agent::ReadSegment;
  using oppetid::agent::Record;
  using oppetid::agent::SegmentContent;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const SegmentContent content = ReadSegment(input);

  std::string again;
  size_t from = 0;
  for (size_t i = 0; i < content.records.size(); ++i) {
    const Record& record = content.records[i];
    OPPETID_CHECK(i == 0 || content.records[i - 1].sequence < record.sequence, "sequences rise");
    const size_t before = again.size();
    oppetid::agent::AppendRecord(record.sequence, record.payload, &again);
    const size_t found = input.find(std::string_view(again).substr(before), from);
    OPPETID_CHECK(found != std::string_view::npos, "records stand in the input, in this order");
    from = found + again.size() - before;
  }
  OPPETID_CHECK(content.damaged == (again != input), "damage is all that is not a record");

  const SegmentContent same = ReadSegment(again);
  OPPETID_CHECK(!same.damaged && same.records.size() == content.records.size(),
                "what was read can be written and read again");

  // Whatever garbage stands before it, a record with the next sequence is found; but a fuzzer finds
  // the checksum by which the head of a torn record can claim it for its own, so none may stand
  // there.
  if (input.find("OPR1", from) != std::string_view::npos) return 0;
  const uint64_t last = content.records.empty() ? 0 : content.records.back().sequence;
  if (last == UINT64_MAX) return 0;
  std::string longer(input);
  oppetid::agent::AppendRecord(last + 1, "appended", &longer);
  const SegmentContent more = ReadSegment(longer);
  OPPETID_CHECK(!more.records.empty() && more.records.back().payload == "appended",
                "a whole record after damage is read");
  return 0;
}
