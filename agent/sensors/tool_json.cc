#include "agent/sensors/tool_json.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <cmath>

#include "common/text.h"

namespace oppetid::agent {
namespace {

constexpr size_t kMaxDepth = 16;  // pgbackrest, the deepest, nests 7
constexpr double kYear10000 = 253'402'300'800.0;

const boost::json::value* Find(const boost::json::object& object, std::string_view key) {
  return object.if_contains({key.data(), key.size()});
}

}  // namespace

std::optional<boost::json::value> ParseToolJson(std::string_view text, bool any_bytes) {
  if (text.size() > kMaxToolJsonBytes) return std::nullopt;
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = any_bytes;
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return std::nullopt;
  return value;
}

std::optional<std::string> JsonText(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

std::optional<uint64_t> JsonCount(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) {
    return static_cast<uint64_t>(value->get_int64());
  }
  return std::nullopt;
}

std::optional<double> JsonNumber(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return static_cast<double>(value->get_uint64());
  if (value->is_int64()) return static_cast<double>(value->get_int64());
  if (value->is_double() && std::isfinite(value->get_double())) return value->get_double();
  return std::nullopt;
}

std::optional<bool> JsonBool(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

const boost::json::object* JsonObject(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  return value == nullptr ? nullptr : value->if_object();
}

const boost::json::array* JsonArray(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = Find(object, key);
  return value == nullptr ? nullptr : value->if_array();
}

std::optional<Instant> ParseToolInstant(std::string_view text) {
  constexpr size_t kDateBytes = sizeof "2026-11-22T07:35:26" - 1;
  constexpr size_t kMaxBytes = 64;
  if (text.size() < kDateBytes || text.size() > kMaxBytes) return std::nullopt;
  std::string kept(text.substr(0, kDateBytes));
  std::string_view rest = text.substr(kDateBytes);
  if (rest.starts_with('.')) {
    const size_t digits = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (digits > 1) kept += rest.substr(0, std::min<size_t>(digits, 4));
    rest.remove_prefix(digits);
  }
  kept += rest.empty() ? "Z" : rest;
  return ParseInstant(kept);
}

std::optional<Instant> FromUnixSeconds(double seconds) {
  if (!(seconds >= 0 && seconds < kYear10000)) return std::nullopt;
  return FromUnixMillis(std::llround(seconds * 1000));
}

}  // namespace oppetid::agent
