#include "agent/sensors/ber.h"

#include <algorithm>
#include <charconv>

namespace oppetid::agent {
namespace {

constexpr size_t kMaxOidNumbers = 128;  // RFC 3416

void PutBase128(uint32_t number, std::string& out) {
  int groups = 1;
  for (uint32_t rest = number >> 7; rest != 0; rest >>= 7) ++groups;
  while (--groups >= 0) {
    out += static_cast<char>((number >> (7 * groups) & 0x7F) | (groups > 0 ? 0x80 : 0));
  }
}

}  // namespace

std::optional<Oid> ParseOid(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  Oid oid;
  for (;;) {
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || oid.size() >= kMaxOidNumbers) return std::nullopt;
    oid.push_back(number);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) break;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  if (oid.size() < 2 || oid[0] > 2 || oid[1] >= 40) return std::nullopt;
  return oid;
}

bool IsUnder(const Oid& oid, const Oid& root) {
  return oid.size() > root.size() && std::equal(root.begin(), root.end(), oid.begin());
}

namespace ber {

std::string Item(uint8_t tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  const size_t size = content.size();
  if (size < 0x80) {
    out += static_cast<char>(size);
  } else if (size <= 0xFF) {
    out += static_cast<char>(0x81);
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(0x82);
    out += static_cast<char>(size >> 8 & 0xFF);
    out += static_cast<char>(size & 0xFF);
  }
  out += content;
  return out;
}

std::string Integer(int64_t value) {
  std::string content;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<uint8_t>(value >> shift & 0xFF);
    // The shortest form in which the sign still shows.
    if (content.empty() && shift > 0) {
      const bool next_negative = (value >> (shift - 8) & 0x80) != 0;
      if ((byte == 0 && !next_negative) || (byte == 0xFF && next_negative)) continue;
    }
    content += static_cast<char>(byte);
  }
  return Item(kInteger, content);
}

std::string ObjectId(const Oid& oid) {
  std::string content;
  PutBase128(oid[0] * 40 + oid[1], content);
  for (size_t i = 2; i < oid.size(); ++i) PutBase128(oid[i], content);
  return Item(kOid, content);
}

std::optional<Tagged> Reader::Next() {
  if (rest_.size() < 2) return std::nullopt;
  Tagged item;
  item.tag = static_cast<uint8_t>(rest_[0]);
  size_t length = static_cast<uint8_t>(rest_[1]);
  size_t header = 2;
  if (length >= 0x80) {
    const size_t bytes = length & 0x7F;
    if (bytes == 0 || bytes > 4 || rest_.size() < header + bytes) return std::nullopt;
    length = 0;
    for (size_t i = 0; i < bytes; ++i) {
      length = length << 8 | static_cast<uint8_t>(rest_[header + i]);
    }
    header += bytes;
  }
  if (rest_.size() - header < length) return std::nullopt;
  item.content = rest_.substr(header, length);
  rest_.remove_prefix(header + length);
  return item;
}

std::optional<std::string_view> Reader::Take(uint8_t tag) {
  const auto item = Next();
  if (!item || item->tag != tag) return std::nullopt;
  return item->content;
}

std::optional<int64_t> Reader::TakeInteger() {
  const auto content = Take(kInteger);
  if (!content) return std::nullopt;
  return SignedOf(*content);
}

std::optional<int64_t> SignedOf(std::string_view content) {
  if (content.empty() || content.size() > 8) return std::nullopt;
  uint64_t value = (static_cast<uint8_t>(content[0]) & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const char byte : content) value = value << 8 | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(value);
}

std::optional<uint64_t> UnsignedOf(std::string_view content) {
  if (content.size() == 9 && content[0] == 0) content.remove_prefix(1);
  if (content.empty() || content.size() > 8) return std::nullopt;
  uint64_t value = 0;
  for (const char byte : content) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

std::optional<Oid> OidOf(std::string_view content) {
  Oid oid;
  uint64_t number = 0;
  bool inside = false;
  for (const char c : content) {
    const auto byte = static_cast<uint8_t>(c);
    number = number << 7 | (byte & 0x7F);
    inside = (byte & 0x80) != 0;
    if (number > UINT32_MAX) return std::nullopt;
    if (inside) continue;
    if (oid.empty()) {
      const auto first = static_cast<uint32_t>(std::min<uint64_t>(number / 40, 2));
      oid.push_back(first);
      number -= first * 40;
    }
    oid.push_back(static_cast<uint32_t>(number));
    if (oid.size() > kMaxOidNumbers) return std::nullopt;
    number = 0;
  }
  if (inside || oid.empty()) return std::nullopt;
  return oid;
}

}  // namespace ber
}  // namespace oppetid::agent
