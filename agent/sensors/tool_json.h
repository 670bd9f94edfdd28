// JSON as backup tools print it: parsed within bounds, read without surprises.
//
// Anything missing or of another type than asked for is nullopt; nothing throws for any input.
// Pure functions, safe from any thread.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/instant.h"

namespace oppetid::agent {

// A repository of 5,000 snapshots prints this much; a job of its own keeps a fraction of that.
inline constexpr size_t kMaxToolJsonBytes = 4 * 1024 * 1024;

// nullopt when it is no JSON, nested deeper than any tool nests, or larger than the bound. With
// `any_bytes` texts need not be UTF-8: there are tools that quote what they could not decrypt.
std::optional<boost::json::value> ParseToolJson(std::string_view text, bool any_bytes = false);

std::optional<std::string> JsonText(const boost::json::object& object, std::string_view key);
// A whole number that is not negative.
std::optional<uint64_t> JsonCount(const boost::json::object& object, std::string_view key);
std::optional<double> JsonNumber(const boost::json::object& object, std::string_view key);
std::optional<bool> JsonBool(const boost::json::object& object, std::string_view key);
// nullptr when absent or of another type.
const boost::json::object* JsonObject(const boost::json::object& object, std::string_view key);
const boost::json::array* JsonArray(const boost::json::object& object, std::string_view key);

// RFC 3339 with any number of decimals, which are cut to milliseconds. A time without an offset is
// UTC: the tools that print such run with TZ=UTC here.
std::optional<Instant> ParseToolInstant(std::string_view text);
// Seconds since 1970; nullopt outside of the years 1970 to 9999.
std::optional<Instant> FromUnixSeconds(double seconds);

}  // namespace oppetid::agent
