#include "agent/segment.h"

#include <array>
#include <cstring>
#include <optional>

namespace oppetid::agent {
namespace {

constexpr std::string_view kMagic = "OPR1";
constexpr uint32_t kMaxPayloadBytes = 65'536;  // a Fact is under 1 kB; more is damage

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kTable = MakeTable();

void PutLittle(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t GetLittle(std::string_view bytes, size_t at, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]))
             << (8 * i);
  }
  return value;
}

// The whole record at `at`, if one stands there undamaged.
std::optional<Record> RecordAt(std::string_view bytes, size_t at) {
  if (bytes.size() - at < kRecordHeaderBytes || bytes.substr(at, 4) != kMagic) return std::nullopt;
  const auto length = static_cast<uint32_t>(GetLittle(bytes, at + 4, 4));
  if (length > kMaxPayloadBytes || bytes.size() - at - kRecordHeaderBytes < length)
    return std::nullopt;
  const auto crc = static_cast<uint32_t>(GetLittle(bytes, at + 8, 4));
  if (Crc32c(bytes.substr(at + 12, 8 + length)) != crc) return std::nullopt;
  return Record{GetLittle(bytes, at + 12, 8), bytes.substr(at + kRecordHeaderBytes, length)};
}

// Whether `rest` is no more than the beginning of a record, or room that was never written.
bool IsUnfinished(std::string_view rest) {
  if (rest.find_first_not_of('\0') == std::string_view::npos) return true;
  if (rest.size() < kRecordHeaderBytes) return kMagic.starts_with(rest.substr(0, 4));
  if (rest.substr(0, 4) != kMagic) return false;
  const auto length = static_cast<uint32_t>(GetLittle(rest, 4, 4));
  return length <= kMaxPayloadBytes && length > rest.size() - kRecordHeaderBytes;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

void AppendRecord(uint64_t sequence, std::string_view payload, std::string* out) {
  std::string checked;
  PutLittle(sequence, 8, &checked);
  checked += payload;
  *out += kMagic;
  PutLittle(payload.size(), 4, out);
  PutLittle(Crc32c(checked), 4, out);
  *out += checked;
}

SegmentContent ReadSegment(std::string_view bytes) {
  SegmentContent content;
  size_t at = 0, good_until = 0;
  while (at < bytes.size()) {
    const auto record = RecordAt(bytes, at);
    const bool rising =
        record && (content.records.empty() || record->sequence > content.records.back().sequence);
    if (rising) {
      content.bad_start = content.bad_start || (content.records.empty() && at > 0);
      content.records.push_back(*record);
      at += kRecordHeaderBytes + record->payload.size();
      good_until = at;
      continue;
    }
    content.damaged = true;
    const size_t next = bytes.find(kMagic, at + 1);
    if (next == std::string_view::npos) break;
    at = next;
  }
  content.bad_end = good_until < bytes.size() && !IsUnfinished(bytes.substr(good_until));
  return content;
}

}  // namespace oppetid::agent
