#include "agent/segment.h"

#include <gtest/gtest.h>

#include <map>

namespace oppetid::agent {
namespace {

const std::vector<std::string> kPayloads = {"first", "", "a third, longer than the others", "last"};

std::string Segment() {
  std::string bytes;
  uint64_t sequence = 7;
  for (const std::string& payload : kPayloads) AppendRecord(sequence++, payload, &bytes);
  return bytes;
}

// How many of the records written are there; each one read must be one of those, as it was written.
size_t CountIntact(std::string_view bytes) {
  const SegmentContent content = ReadSegment(bytes);
  uint64_t before = 0;
  for (const Record& record : content.records) {
    EXPECT_GT(record.sequence, before);
    before = record.sequence;
    if (record.sequence < 7 || record.sequence >= 7 + kPayloads.size()) {
      ADD_FAILURE() << "invented record " << record.sequence;
      continue;
    }
    EXPECT_EQ(record.payload, kPayloads[record.sequence - 7]);
  }
  return content.records.size();
}

TEST(SegmentTest, Crc32cIsTheOneOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43U);
}

TEST(SegmentTest, WhatIsWrittenIsRead) {
  const std::string bytes = Segment();
  EXPECT_EQ(CountIntact(bytes), kPayloads.size());
  EXPECT_FALSE(ReadSegment(bytes).damaged);
}

TEST(SegmentTest, TheFormIsPinned) {
  std::string bytes;
  AppendRecord(0x0102030405060708, "ab", &bytes);
  const std::string head("OPR1\x02\0\0\0", 8), tail(
                                                   "\x08\x07\x06\x05\x04\x03\x02\x01"
                                                   "ab",
                                                   10);
  ASSERT_EQ(bytes.size(), 22u);
  EXPECT_EQ(bytes.substr(0, 8), head);
  EXPECT_EQ(bytes.substr(12), tail);
  uint32_t crc = 0;
  for (int i = 3; i >= 0; --i)
    crc = (crc << 8) | static_cast<uint8_t>(bytes[8 + static_cast<size_t>(i)]);
  EXPECT_EQ(crc, Crc32c(tail));
}

TEST(SegmentTest, AnEmptyFileIsAnEmptySegment) {
  EXPECT_TRUE(ReadSegment("").records.empty());
  EXPECT_FALSE(ReadSegment("").damaged);
}

TEST(SegmentTest, EveryFlippedByteCostsOneRecord) {
  const std::string whole = Segment();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int change = 1; change < 256; ++change) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      ASSERT_EQ(CountIntact(bytes), kPayloads.size() - 1) << "byte " << at << " ^ " << change;
      ASSERT_TRUE(ReadSegment(bytes).damaged);
    }
  }
}

TEST(SegmentTest, EveryTruncationCostsOnlyWhatIsCut) {
  const std::string whole = Segment();
  // Ends of records: what lies before a cut must be there.
  std::vector<size_t> ends;
  std::string bytes;
  for (const std::string& payload : kPayloads) {
    AppendRecord(1, payload, &bytes);
    ends.push_back(bytes.size());
  }
  for (size_t size = 0; size <= whole.size(); ++size) {
    size_t expected = 0;
    while (expected < ends.size() && ends[expected] <= size) ++expected;
    const std::string_view cut = std::string_view(whole).substr(0, size);
    ASSERT_EQ(CountIntact(cut), expected) << size;
    const bool at_end = size == 0 || (expected > 0 && ends[expected - 1] == size);
    ASSERT_EQ(ReadSegment(cut).damaged, !at_end) << size;
  }
}

TEST(SegmentTest, GarbageBetweenRecordsCostsNone) {
  std::string bytes = "OPROPR1";
  AppendRecord(7, kPayloads[0], &bytes);
  bytes += std::string(100, '\0') + "OPR1" + std::string(4, '\xff');
  AppendRecord(8, kPayloads[1], &bytes);
  bytes += "OPR1";
  EXPECT_EQ(CountIntact(bytes), 2u);
  EXPECT_TRUE(ReadSegment(bytes).damaged);
}

TEST(SegmentTest, SequencesThatDoNotRiseAreDamage) {
  std::string bytes;
  AppendRecord(8, kPayloads[1], &bytes);
  AppendRecord(8, kPayloads[1], &bytes);
  AppendRecord(7, kPayloads[0], &bytes);
  AppendRecord(9, kPayloads[2], &bytes);
  EXPECT_EQ(CountIntact(bytes), 2u);
  EXPECT_TRUE(ReadSegment(bytes).damaged);
}

}  // namespace
}  // namespace oppetid::agent
