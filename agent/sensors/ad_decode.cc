#include "agent/sensors/ad_decode.h"

#include <charconv>
#include <limits>

namespace oppetid::agent {
namespace {

constexpr size_t kSntpBytes = 48;
constexpr int64_t kTicksPerMilli = 10'000;
constexpr int64_t kUnixOf1601 = -11'644'473'600;  // seconds from 1970 back to 1601
constexpr int64_t kLastYearSeconds = 253'402'300'799 - kUnixOf1601;  // the end of the year 9999

uint32_t ReadU32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

uint64_t ReadU64(std::string_view bytes, size_t at) {
  return ReadU32(bytes, at) | static_cast<uint64_t>(ReadU32(bytes, at + 4)) << 32;
}

// Seconds since 1601, as REPS_FROM counts; 0 is never.
std::optional<Instant> FromDsTime(uint64_t seconds) {
  if (seconds == 0 || seconds > static_cast<uint64_t>(kLastYearSeconds)) return std::nullopt;
  return FromUnixMillis((static_cast<int64_t>(seconds) + kUnixOf1601) * 1000);
}

int Digit(char c) { return c >= '0' && c <= '9' ? c - '0' : -1; }

std::optional<int> Digits(std::string_view text, size_t at, size_t count) {
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    const int digit = i < text.size() ? Digit(text[i]) : -1;
    if (digit < 0) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace

std::optional<Instant> ParseGeneralizedTime(std::string_view text) {
  constexpr size_t kSecondsEnd = 14;  // YYYYMMDDHHMMSS
  const auto year = Digits(text, 0, 4);
  const auto month = Digits(text, 4, 2);
  const auto day = Digits(text, 6, 2);
  const auto hour = Digits(text, 8, 2);
  const auto minute = Digits(text, 10, 2);
  const auto second = Digits(text, 12, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *year < 1601 || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  Millis time =
      std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  size_t at = kSecondsEnd;
  if (at < text.size() && text[at] == '.') {
    int64_t unit = 100;
    for (++at; at < text.size() && Digit(text[at]) >= 0; ++at, unit /= 10) {
      time += Millis(unit * Digit(text[at]));
    }
  }
  if (text.substr(at) != "Z") return std::nullopt;
  return Instant(std::chrono::sys_days(date)) + time;
}

std::optional<Instant> FromFileTime(int64_t ticks) {
  if (ticks <= 0 || ticks / kTicksPerMilli / 1000 > kLastYearSeconds) return std::nullopt;
  return FromUnixMillis(ticks / kTicksPerMilli + kUnixOf1601 * 1000);
}

std::optional<int64_t> ParseDecimal(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Instant> ParseFileTime(std::string_view digits) {
  const auto ticks = ParseDecimal(digits);
  return ticks ? FromFileTime(*ticks) : std::nullopt;
}

std::optional<std::string> FormatGuid(std::string_view bytes) {
  constexpr size_t kGuidBytes = 16;
  // The first three fields are little endian, the rest is as it stands.
  constexpr size_t kOrder[kGuidBytes] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  if (bytes.size() != kGuidBytes) return std::nullopt;
  std::string text;
  for (size_t i = 0; i < kGuidBytes; ++i) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<uint8_t>(bytes[kOrder[i]]);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<ReplicationLink> DecodeRepsFrom(std::string_view blob) {
  constexpr size_t kFixedBytes = 208;  // up to the partner's name, the same in both versions
  if (blob.size() < kFixedBytes) return std::nullopt;
  const uint32_t version = ReadU32(blob, 0);
  if (version != 1 && version != 2) return std::nullopt;
  ReplicationLink link;
  link.failures = ReadU32(blob, 12);
  link.last_success = FromDsTime(ReadU64(blob, 16));
  link.last_attempt = FromDsTime(ReadU64(blob, 24));
  link.result = ReadU32(blob, 32);
  link.source = FormatGuid(blob.substr(160, 16)).value_or("");
  return link;
}

std::optional<ReplicationLink> DecodeNeighbor(std::string_view blob) {
  constexpr size_t kFixedBytes = 128;  // up to the strings
  if (blob.size() < kFixedBytes) return std::nullopt;
  ReplicationLink link;
  link.source = FormatGuid(blob.substr(40, 16)).value_or("");
  link.last_success = FromFileTime(static_cast<int64_t>(ReadU64(blob, 104)));
  link.last_attempt = FromFileTime(static_cast<int64_t>(ReadU64(blob, 112)));
  link.result = ReadU32(blob, 120);
  link.failures = ReadU32(blob, 124);
  return link;
}

std::string ReplicationResultText(uint32_t result) {
  const char* words = nullptr;
  switch (result) {
    case 5:
      words = "access denied";
      break;
    case 64:
      words = "connection lost";
      break;
    case 1225:
      words = "connection refused";
      break;
    case 1232:
      words = "host unreachable";
      break;
    case 1256:
      words = "partner not available";
      break;
    case 1326:
      words = "logon failure";
      break;
    case 1398:
      words = "clocks too far apart";
      break;
    case 1722:
      words = "RPC server unavailable";
      break;
    case 1753:
      words = "no RPC endpoint";
      break;
    case 1908:
      words = "no controller found";
      break;
    case 8453:
      words = "replication access denied";
      break;
    case 8524:
      words = "DNS look-up failed";
      break;
    case 8614:
      words = "away longer than the tombstone lifetime";
      break;
    default:
      break;
  }
  const std::string number = std::to_string(result);
  return words == nullptr ? "error " + number : std::string(words) + " (" + number + ")";
}

std::optional<uint32_t> DecodeLdapPing(std::string_view blob) {
  constexpr uint32_t kResponseEx = 23;     // LOGON_SAM_LOGON_RESPONSE_EX
  constexpr uint32_t kUserUnknownEx = 25;  // the same of a user it does not know; none was named
  if (blob.size() < 8) return std::nullopt;
  const uint32_t opcode = ReadU32(blob, 0) & 0xFFFF;
  if (opcode != kResponseEx && opcode != kUserUnknownEx) return std::nullopt;
  return ReadU32(blob, 4);
}

std::string BuildSntpRequest(uint64_t cookie) {
  constexpr char kVersion4Client = 0x23;
  std::string request(kSntpBytes, '\0');
  request[0] = kVersion4Client;
  for (size_t i = 0; i < 8; ++i) {
    request[kSntpBytes - 1 - i] = static_cast<char>(cookie >> (8 * i) & 0xFF);
  }
  return request;
}

std::optional<Instant> ParseSntpReply(std::string_view reply, uint64_t cookie) {
  constexpr int kServerMode = 4;
  constexpr int64_t kUnixOf1900 = 2'208'988'800;
  if (reply.size() < kSntpBytes) return std::nullopt;
  const auto big_endian = [reply](size_t at) {
    uint64_t value = 0;
    for (size_t i = at; i < at + 8; ++i) value = value << 8 | static_cast<uint8_t>(reply[i]);
    return value;
  };
  const auto stratum = static_cast<uint8_t>(reply[1]);
  const uint64_t time = big_endian(40);
  if ((reply[0] & 7) != kServerMode || stratum == 0 || stratum > 15) return std::nullopt;
  if (big_endian(24) != cookie || time == 0) return std::nullopt;
  // The first era ends in 2036; what looks like the past of 1968 is the second.
  int64_t seconds = static_cast<int64_t>(time >> 32);
  if ((seconds & 0x8000'0000) == 0) seconds += int64_t{1} << 32;
  const auto fraction = static_cast<int64_t>((time & 0xFFFF'FFFF) * 1000 >> 32);
  return FromUnixMillis((seconds - kUnixOf1900) * 1000 + fraction);
}

std::optional<double> RidPoolUsed(std::string_view digits) {
  const auto pool = ParseDecimal(digits);
  if (!pool || *pool <= 0) return std::nullopt;
  const int64_t next = *pool & 0xFFFF'FFFF;
  const int64_t last = *pool >> 32;
  if (last == 0) return std::nullopt;
  return static_cast<double>(next) / static_cast<double>(last);
}

std::optional<int64_t> ParseGptVersion(std::string_view ini) {
  constexpr std::string_view kKey = "version=";
  while (!ini.empty()) {
    const size_t end = ini.find_first_of("\r\n");
    std::string_view line = ini.substr(0, end);
    ini.remove_prefix(end == std::string_view::npos ? ini.size() : end + 1);
    bool is_key = line.size() > kKey.size();
    for (size_t i = 0; is_key && i < kKey.size(); ++i) {
      const char c = line[i];
      is_key = (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == kKey[i];
    }
    if (is_key) return ParseDecimal(line.substr(kKey.size()));
  }
  return std::nullopt;
}

std::optional<uint32_t> ParseRefusal(std::string_view diagnostic) {
  constexpr std::string_view kBefore = " data ";
  const size_t found = diagnostic.find(kBefore);
  if (found == std::string_view::npos) return std::nullopt;
  const std::string_view rest = diagnostic.substr(found + kBefore.size());
  uint32_t code = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), code, 16);
  if (error != std::errc() || end == rest.data()) return std::nullopt;
  return code;
}

std::string RefusalText(uint32_t code) {
  switch (code) {
    case kRefusedRevoked:
      return "it is locked, disabled or expired";
    case kRefusedUnanswered:
      return "it may count as a wrong password";
    case 0x525:
      return "no such account";
    case 0x52e:
      return "wrong password or no such account";
    case 0x530:
      return "not at this time";
    case 0x531:
      return "not from this computer";
    case 0x532:
      return "its password has expired";
    case 0x533:
      return "it is disabled";
    case 0x701:
      return "it has expired";
    case 0x773:
      return "it must change its password";
    case 0x775:
      return "it is locked";
    default:
      return "code " + std::to_string(code);
  }
}

bool RefusalCounts(uint32_t code) {
  switch (code) {
    case kRefusedRevoked:
    case kRefusedUnanswered:
    case 0x530:
    case 0x531:
    case 0x532:
    case 0x533:
    case 0x701:
    case 0x773:
    case 0x775:
      return false;
    default:
      return true;
  }
}

}  // namespace oppetid::agent
