// The bytes of a spool segment: records that each stand alone, so that damage costs only itself.
//
// Record: magic "OPR1", u32 length of the payload, u32 CRC-32C (RFC 3720, B.4) of what follows it,
// u64 sequence, payload; integers little-endian. The payload is a serialised oppetid.v1.Fact.
// A reader that meets damage looks for the next magic whose record checks out; torn tails and
// flipped bytes therefore cost at most the record they are in. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oppetid::agent {

// What a record takes beside its payload.
inline constexpr size_t kRecordHeaderBytes = 4 + 4 + 4 + 8;

// CRC-32C (Castagnoli), as in iSCSI.
uint32_t Crc32c(std::string_view bytes);

// Appends one record to `*out`.
void AppendRecord(uint64_t sequence, std::string_view payload, std::string* out);

struct Record {
  uint64_t sequence = 0;
  std::string_view payload;  // into the bytes that were read
};

struct SegmentContent {
  std::vector<Record> records;  // in the order of the file; sequences strictly rising
  bool damaged = false;         // something before, between or after them could not be read
  bool bad_start = false;       // before the first of them
  // After the last of them: a record that checks wrongly. What merely ends too early is a write
  // that never was finished, of which nobody was told that it is durable.
  bool bad_end = false;
};

// Reads whatever can be read of a segment; never fails. `bytes` must outlive the result.
SegmentContent ReadSegment(std::string_view bytes);

}  // namespace oppetid::agent
